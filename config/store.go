package config

import (
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Store is what [store] says of the server by which the replicas of a service share their limits.
// Package store/connect connects to it. The timeout and the share are in [pool.Config].
type Store struct {
	// Redis is the URL of a Redis or Valkey server, as redis.Config of package store/redis takes it.
	// It may hold a password. Zero means none.
	Redis pool.Secret
	// Prefix begins the name of each key there. Empty means "spillway".
	Prefix string
}

// Host returns the server of Redis without user, password and parameters: "host:6379". It is empty
// if there is none.
func (s Store) Host() string {
	u, err := url.Parse(s.Redis.Reveal())
	switch {
	case err != nil:
		return ""
	case u.Scheme == "unix":
		return u.Path
	case u.Host != "" && u.Port() == "":
		return u.Host + ":6379"
	}
	return u.Host
}

func (t *table) store(cfg *Store, shared *pool.Config) {
	if text, ok := t.plainText("redis"); ok {
		cfg.Redis = t.redis(t.path.to("redis"), text)
	}
	if prefix, ok := t.text("prefix"); ok {
		cfg.Prefix = t.prefix(prefix)
	}
	t.duration("timeout", &shared.StoreTimeout)
	if shared.StoreTimeout > time.Minute {
		t.wrong(t.path.to("timeout"), "timeout is longer than a minute", `write a short one, such as "50ms"`)
	}
	t.share("share", &shared.Share)
	t.end()
}

// plainText reads a string that may be secret.
func (t *table) plainText(key string) (string, bool) {
	v, ok := t.value(key)
	if !ok {
		return "", false
	}
	text, ok := v.(string)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "a string", `write text in quotes: "…"`)
	}
	return text, ok
}

const redisFix = `write "redis://user:password@host:6379", "rediss://…" for TLS, "env:NAME" or "file:PATH"` //nolint:gosec // no password of anybody

// redis reads the URL of a server, or a reference to it. No message shows any of it.
func (t *table) redis(at fieldPath, text string) pool.Secret {
	kind, rest, _ := strings.Cut(text, ":")
	from := "redis"
	switch {
	case kind == "env" && rest != "":
		value, ok := t.variable(at, "redis", rest)
		if !ok {
			return pool.Secret{}
		}
		text, from = value, "redis, as the variable has it,"
	case kind == "file" && rest != "":
		data, ok := t.fileContent(at, "redis", rest)
		if !ok {
			return pool.Secret{}
		}
		text, from = strings.TrimSpace(string(data)), "redis, as the file has it,"
	case strings.EqualFold(kind, "env"), strings.EqualFold(kind, "file"):
		t.wrong(at, "redis is an unfinished reference", `write "env:NAME" or "file:PATH", in small letters`)
		return pool.Secret{}
	}
	if problem := redisProblem(text); problem != "" {
		t.wrong(at, from+" "+problem, redisFix)
		return pool.Secret{}
	}
	t.exposed(at, text, from == "redis")
	return pool.NewSecret(text)
}

// exposed warns of a password that others can read: in the file, or on the way to the server.
func (t *table) exposed(at fieldPath, text string, written bool) {
	u, _ := url.Parse(text) // redisProblem has parsed it
	_, password := u.User.Password()
	if !password && u.Query().Get("sentinel_password") == "" {
		return
	}
	if written {
		t.warn(at, "redis holds a password written into the file",
			`write "env:NAME" or "file:PATH" and keep the URL out of it`)
	}
	if (u.Scheme == "redis" || u.Scheme == "valkey") && !onThisMachine(u.Hostname()) {
		t.warn(at, "the password of redis travels in clear text to another machine", `write "rediss://…", which is TLS`)
	}
}

// redisSchemes and redisParameters are what a URL may have; package store/redis knows the same.
var (
	redisSchemes    = []string{"redis", "rediss", "valkey", "valkeys", "unix"}
	redisParameters = []string{"addr", "db", "master_set", "sentinel_user", "sentinel_password"}
)

// redisProblem says what is wrong with a URL, as a predicate. It is empty if nothing is.
func redisProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is empty"
	case err == nil && u.Scheme == "" || !strings.Contains(text, "://"):
		return "is not a URL"
	case err != nil:
		return `is not a URL, or its password has characters that need escaping, such as %40 for "@"`
	}
	query, err := url.ParseQuery(u.RawQuery)
	unix := u.Scheme == "unix"
	switch {
	case !slices.Contains(redisSchemes, u.Scheme):
		return "has an unknown scheme"
	case !unix && !arePorts(u.Port(), query["addr"]):
		return "has a port that is not a number from 1 to 65535"
	case unix && u.Path == "":
		return "names no socket"
	case !unix && u.Hostname() == "":
		return "has no host"
	case u.Fragment != "" || err != nil || strings.Contains(u.Path, "@"):
		return `has a password with characters that need escaping, such as %23 for "#"`
	case !unix && !isDatabase(strings.TrimPrefix(u.Path, "/")), !isDatabase(query.Get("db")):
		return "has a database that is not a number"
	}
	return parameterProblem(query)
}

// parameterProblem says what is wrong with the query of a URL. It is empty if nothing is.
func parameterProblem(query url.Values) string {
	for name := range query {
		if !slices.Contains(redisParameters, name) {
			return "has a parameter other than " + strings.Join(redisParameters, ", ")
		}
	}
	return ""
}

// isDatabase reports whether text may stand where the number of a database may.
func isDatabase(text string) bool {
	n, err := strconv.Atoi(text)
	return text == "" || err == nil && n >= 0
}

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)

func (t *table) prefix(prefix string) string {
	at := t.path.to("prefix")
	_, used := t.values["redis"]
	switch {
	case !prefixSyntax.MatchString(prefix):
		t.wrong(at, "prefix is empty or has a character that is not allowed",
			`write letters, digits and any of "-_.:/", or leave it out for "spillway"`)
	case !used:
		t.wrong(at, "prefix is for the keys in redis, which is not set", "write redis too, or leave it out")
	default:
		return prefix
	}
	return ""
}

var fractionSyntax = regexp.MustCompile(`^([0-9]{1,9}) ?/ ?([0-9]{1,9})$`)

// share reads a part of a whole: "1/8" or 0.125.
func (t *table) share(key string, dst *float64) {
	v, ok := t.value(key)
	if !ok {
		return
	}
	const fix = `write a fraction such as "1/8" or 0.125`
	at := t.path.to(key)
	var part float64
	switch v := v.(type) {
	case float64:
		part = v
	case int64:
		part = float64(v)
	case string:
		digits := fractionSyntax.FindStringSubmatch(v)
		if digits == nil {
			t.wrong(at, key+" is not a fraction", fix)
			return
		}
		over, _ := strconv.ParseFloat(digits[1], 64) // the syntax allows only digits
		under, _ := strconv.ParseFloat(digits[2], 64)
		if under == 0 {
			t.wrong(at, key+" divides by zero", fix)
			return
		}
		part = over / under
	default:
		t.mistyped(at, key, v, "a fraction", fix)
		return
	}
	switch {
	case !(part > 0):
		t.wrong(at, key+" is not above zero, so nothing could be sent", fix+", or leave it out for all of the limits")
	case part > 1:
		t.wrong(at, key+" is more than all of the limits", fix+", or leave it out for all of the limits")
	default:
		*dst = part
	}
}

// shares warns of a share that leaves less than one of a limit.
func (a *adviser) shares() {
	part := a.cfg.Pool.Share
	if part == 0 || a.cfg.Store.Redis.Reveal() != "" {
		return
	}
	for i := range a.cfg.Pool.Projects {
		for j, l := range a.cfg.Pool.Projects[i].Limits {
			at := fieldPath{"project"}.element(i).to("limits").element(j)
			for _, one := range []struct {
				key   string
				limit int64
			}{{"rpm", l.RPM}, {"tpm", l.TPM}, {"rpd", l.RPD}, {"concurrency", l.Concurrency}} {
				if one.limit > 0 && part*float64(one.limit) < 1 {
					a.warn(at.to(one.key), "share leaves less than one of "+one.key+", and each replica keeps one all the same: together they exceed it",
						"write redis in [store], which counts for all, or run fewer replicas")
				}
			}
		}
	}
}

// SameStore reports whether other says the same of the store as c: what a reload does not change.
func (c *Config) SameStore(other *Config) bool {
	url := c.Store.Redis.Reveal()
	return url == other.Store.Redis.Reveal() && c.Store.Prefix == other.Store.Prefix && c.Pool.StoreTimeout == other.Pool.StoreTimeout &&
		(url == "" || c.Pool.Share == other.Pool.Share)
}

// arePorts reports whether a port, and those of some addresses, are numbers of ports or absent.
func arePorts(port string, addresses []string) bool {
	ports := []string{port}
	for _, a := range addresses {
		_, port, _ := net.SplitHostPort(a)
		ports = append(ports, port)
	}
	return !slices.ContainsFunc(ports, func(text string) bool {
		n, err := strconv.Atoi(text)
		return text != "" && (err != nil || n < 1 || n > math.MaxUint16)
	})
}
