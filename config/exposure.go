package config

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// What works and shows credentials to others gets a warning: an address without TLS off this
// machine, and a file with a key that other users of the machine may read or write.

// inClearText warns of a base_url whose credentials, prompts and answers anyone on the way can
// read. What is wrong with the URL otherwise is reported by Validate.
func (t *table) inClearText(key, baseURL string) {
	u, err := url.Parse(baseURL)
	if err != nil || !strings.EqualFold(u.Scheme, "http") || onThisMachine(u.Hostname()) {
		return
	}
	t.warn(t.path.to(key), key+" is http:// and not on this machine, so credentials, prompts and answers travel in clear text",
		`write "https://…", or reach it through a TLS proxy or tunnel on this machine`)
}

// onThisMachine reports whether a host is this machine, as far as its name tells.
func onThisMachine(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761
		return true
	}
	address, _, _ := strings.Cut(host, "%") // without a zone
	ip := net.ParseIP(address)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// openToOthers warns of a file with a key or credentials that other users may read or write. The
// group is the owner's to choose. What a container gets as a secret has mode 0644 or 0444 by
// default, in a file system that no one else sees: there only writing is wrong.
func (t *table) openToOthers(at fieldPath, what, path string) {
	if t.sources.mode == nil {
		return
	}
	full := t.sources.path(path)
	mode, err := t.sources.mode(full)
	if err != nil {
		return
	}
	var may string
	switch open := mode.Perm() & 0o006; {
	case open&0o002 != 0:
		may = "write"
	case open != 0 && !mounted(full):
		may = "read"
	default:
		return
	}
	fix := "chmod 600 the file"
	if shown := shownPath(path); shown != notShown {
		fix = "run chmod 600 " + shown
	}
	t.warn(at, fmt.Sprintf("%s: every user of this machine may %s the file %s (mode %04o)",
		what, may, shownPath(path), mode.Perm()), fix)
}

// fileMode returns the mode of what a path leads to.
func fileMode(path string) (fs.FileMode, error) {
	if runtime.GOOS == "windows" { // it has access lists in place of modes
		return 0, fs.ErrInvalid
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// mounted reports whether a container engine has put a file where it is, as a secret. Kubernetes
// makes it a link to a file in a folder that is named "..2006_01_02_15_04_05.123", by way of a link
// "..data", and Docker and Podman mount secrets at /run/secrets.
func mounted(path string) bool {
	end, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if end, err = filepath.Abs(end); err != nil {
		return false
	}
	for _, secrets := range []string{"/run/secrets/", "/var/run/secrets/"} {
		if strings.HasPrefix(filepath.ToSlash(end), secrets) {
			return true
		}
	}
	for part := range strings.SplitSeq(filepath.ToSlash(end), "/") {
		if strings.HasPrefix(part, "..20") {
			return true
		}
	}
	return false
}
