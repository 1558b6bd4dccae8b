package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where a server listens. Zero means that it is not set.
type Address struct {
	// Network is "tcp" or "unix".
	Network string
	// Address is host and port, or the path of a socket.
	Address string
}

// String returns the address as it is written in a file.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Address
	}
	return a.Address
}

// Local reports whether only this machine can reach the address, as far as it tells.
func (a Address) Local() bool {
	if a.Network == "unix" {
		return true
	}
	host := strings.ToLower(a.Host())
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Host returns the host of a TCP address; "" of a socket.
func (a Address) Host() string {
	if a.Network != "tcp" {
		return ""
	}
	host, _, _ := net.SplitHostPort(a.Address)
	return host
}

// ParseAddress reads "host:port" or "unix:/path". If problem is not empty it says, as a predicate,
// what is wrong, and fix what to write.
func ParseAddress(text string) (a Address, problem, fix string) {
	if socket, ok := strings.CutPrefix(text, "unix:"); ok {
		if socket = strings.TrimPrefix(socket, "//"); socket == "" || strings.HasSuffix(socket, "/") {
			return a, "names no socket", `write "unix:/run/spillway.sock"`
		}
		return Address{"unix", socket}, "", ""
	}
	host, port, err := net.SplitHostPort(text)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || strconv.FormatUint(n, 10) != port {
		return a, "is not an address", `write host:port, such as "127.0.0.1:8080", or "unix:/path"`
	}
	if host == "" { // net.Listen would use every interface, which is rarely meant
		return a, "names no host", "write 127.0.0.1:" + port + ", or 0.0.0.0:" + port + " for everyone who can reach this machine"
	}
	return Address{"tcp", text}, "", ""
}

// address reads one address. The path of a socket is relative to the folder of the file.
func (t *table) address(at fieldPath, what, text string) (a Address, ok bool) {
	a, problem, fix := ParseAddress(text)
	if problem != "" {
		t.wrong(at, what+" "+problem, fix)
		return Address{}, false
	}
	if a.Network == "unix" {
		a.Address = t.sources.path(a.Address)
	}
	return a, true
}

// addresses reads an address, or an array of them.
func (t *table) addresses(key string) (all []Address) {
	v, ok := t.value(key)
	if !ok {
		return nil
	}
	at := t.path.to(key)
	values, many := v.([]any)
	if !many {
		if text, ok := t.asText(at, key, v); ok {
			if a, ok := t.address(at, key, text); ok {
				all = append(all, a)
			}
		}
		return all
	}
	if len(values) == 0 {
		t.wrong(at, key+" has no address", `write "127.0.0.1:8080", or leave it out`)
	}
	for i, v := range values {
		if text, ok := t.asText(at.element(i), element(key, i), v); ok {
			if a, ok := t.address(at.element(i), element(key, i), text); ok {
				all = append(all, a)
			}
		}
	}
	return all
}
