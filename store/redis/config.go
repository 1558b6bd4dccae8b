package redis

import (
	"strings"
	"time"
)

// Config says where the server is and how long a call may take.
type Config struct {
	// URL of the server:
	//
	//	redis://user:password@host:6379/0      a server, with the number of a database
	//	rediss://user:password@host:6379       the same over TLS
	//	unix://user:password@/path/to/socket?db=0
	//
	// A user, a password, a port and a number may be left out. A cluster is recognized by itself.
	// Each addr names another of its nodes, for when the first is away:
	//
	//	rediss://user:password@node1:6379?addr=node2:6379&addr=node3:6379
	//
	// With a master_set the addresses are those of sentinels. They may have a user and a password of
	// their own:
	//
	//	redis://user:password@sentinel1:26379/0?addr=sentinel2:26379&master_set=main
	//	    &sentinel_user=user&sentinel_password=password
	//
	// The schemes valkey and valkeys mean the same as redis and rediss. Certificates are verified
	// with the system's roots. For anything else make a client and use [New].
	URL string
	// Prefix of all keys and of the channel: letters, digits and any of "-_.:/". Replicas that share
	// have the same one. Defaults to "spillway".
	Prefix string
	// Timeout bounds each call, beside the caller's context. At most a minute. Defaults to 50 ms.
	Timeout time.Duration
}

var defaults = Config{Prefix: "spillway", Timeout: 50 * time.Millisecond}

// ConfigError is one field of a [Config] that is not valid. It shows nothing of the URL, which may
// hold a password.
type ConfigError struct {
	// Field is the name of the field, such as "URL".
	Field string
	// Problem says what is wrong with it, as a predicate of the field's name.
	Problem string
	// Fix is what to write instead.
	Fix string
}

// Error is "redis: FIELD PROBLEM; FIX".
func (e *ConfigError) Error() string {
	return "redis: " + e.Field + " " + e.Problem + "; " + e.Fix
}

// withDefaults returns c with defaults for what is zero, or an error for what is not valid. It does
// not look at the URL.
func (c Config) withDefaults() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = defaults.Prefix
	}
	if strings.ContainsFunc(c.Prefix, func(r rune) bool { return !allowedInPrefix(r) }) {
		return c, &ConfigError{
			"Prefix", "has a character that is not allowed", `use letters, digits and any of "-_.:/"`,
		}
	}
	if c.Timeout == 0 {
		c.Timeout = defaults.Timeout
	}
	if c.Timeout < 0 || c.Timeout > time.Minute {
		return c, &ConfigError{
			"Timeout", "is out of range", "use a positive duration of at most a minute, such as 50ms",
		}
	}
	return c, nil
}

func allowedInPrefix(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("-_.:/", r)
}
