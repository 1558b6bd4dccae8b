package redis

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience bounds what happens in the background: connecting, and answers to a connection's
	// pings.
	patience = time.Second
	// redirections are how many times a cluster may send a call elsewhere.
	redirections = 3
	// bufferSize is that of a connection, which writes many small commands.
	bufferSize = 64 << 10
	// sentinelInterval is how often sentinels are asked for the primary, in case one of their
	// messages was lost.
	sentinelInterval = 5 * time.Second
)

// example is what an error tells to write.
const example = "write redis://user:password@host:6379/0, or rediss:// for TLS" //nolint:gosec // no password of anybody

// parseURL returns the options of a client for [Config.URL]. Errors show no part of it: a password
// that is not escaped may be anywhere.
func parseURL(s string) (rueidis.ClientOption, error) {
	if problem := urlProblem(s); problem != "" {
		return rueidis.ClientOption{}, &ConfigError{"URL", problem, example}
	}
	u, err := url.Parse(s)
	if err != nil {
		return rueidis.ClientOption{}, &ConfigError{"URL", "is not valid", example}
	}
	if u.Path == "/" {
		u.Path = "" // the same, and not for the parser
	}
	option, err := rueidis.ParseURL(u.String())
	if err != nil {
		return option, &ConfigError{"URL", "is not valid", example}
	}
	network := "tcp"
	if u.Scheme == "unix" {
		network = "unix"
	}
	if option.TLSConfig != nil {
		option.TLSConfig.ServerName = "" // each node has its own
	}
	option.DialCtxFn = func(
		ctx context.Context, address string, dialer *net.Dialer, config *tls.Config,
	) (net.Conn, error) {
		if config != nil {
			return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address)
		}
		return dialer.DialContext(ctx, network, address)
	}
	option.Sentinel.Username = u.Query().Get("sentinel_user")
	option.Sentinel.Password = u.Query().Get("sentinel_password")
	option.Sentinel.TLSConfig = option.TLSConfig
	option.Sentinel.TopologyRefreshInterval = sentinelInterval

	option.DisableCache = true
	option.DisableRetry = true     // a script that may have run is not to run again
	option.AlwaysPipelining = true // a call that ends early leaves its connection as it is
	option.PipelineMultiplex = -1  // one connection is enough, and made at once
	option.ClientSetInfo = rueidis.DisableClientSetInfo
	option.Dialer.Timeout, option.Sentinel.Dialer.Timeout = patience, patience
	option.Sentinel.Dialer.KeepAlive = patience
	option.ConnWriteTimeout = patience
	option.ClusterOption.MaxMovedRedirections = redirections
	option.ReadBufferEachConn, option.WriteBufferEachConn = bufferSize, bufferSize
	return option, nil
}

// parameters are what the query of a URL may have.
var parameters = []string{"addr", "db", "master_set", "sentinel_user", "sentinel_password"}

// urlProblem says what is wrong with a URL, as a predicate. It is empty if nothing is.
func urlProblem(s string) string {
	if s == "" {
		return "is missing"
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return `is not a URL, or its password has characters that need escaping, such as %40 for "@"`
	}
	unix := u.Scheme == "unix"
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case !slices.Contains([]string{"redis", "rediss", "valkey", "valkeys", "unix"}, u.Scheme):
		return "has an unknown scheme"
	case !unix && u.Hostname() == "":
		return "has no host"
	case !unix && !isPort(u.Port()), slices.ContainsFunc(query["addr"], func(addr string) bool { return !isPort(portOf(addr)) }):
		return "has a port that is not a number from 1 to 65535"
	case unix && u.Path == "":
		return "names no socket"
	case u.Fragment != "" || err != nil || strings.Contains(u.Path, "@"):
		return `has a password with characters that need escaping, such as %23 for "#"`
	case !unix && !isNumber(strings.TrimPrefix(u.Path, "/")), !isNumber(query.Get("db")):
		return "has a database that is not a number"
	}
	for name := range query {
		if !slices.Contains(parameters, name) {
			return "has a parameter other than " + strings.Join(parameters, ", ")
		}
	}
	return ""
}

// isPort reports whether s may stand where a port may.
func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "" || err == nil && n > 0 && n <= math.MaxUint16
}

// portOf returns the port of an address; empty if it names none.
func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// isNumber reports whether s may stand where the number of a database may.
func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "" || err == nil && n >= 0
}
