package redis_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
	"github.com/spillway-go/spillway/store/storetest"
)

const password = "hunter2-of-the-test"

// documented returns the rules of the user that the package's documentation asks for.
func documented(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rules, ok := strings.Cut(string(doc), "ACL SETUSER spillway ")
	if !ok {
		t.Fatal("the documentation names no user")
	}
	rules, _, _ = strings.Cut(rules, "\n//\n")
	rules = strings.ReplaceAll(strings.ReplaceAll(rules, "//", ""), "PASSWORD", password)
	return strings.Fields(rules)
}

// setUser makes the documented user, with more rules.
func setUser(t *testing.T, server *server, more ...string) (url string) {
	t.Helper()
	words := append([]string{"acl", "setuser", "spillway", "reset"}, documented(t)...)
	do(t, server.admin(), append(words, more...)...)
	return "redis://spillway:" + password + "@" + server.address() + "/1"
}

func TestLawsWithDocumentedPermissions(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	url := setUser(t, server)
	storetest.Test(t, func(t *testing.T) store.Store {
		return open(t, redis.Config{URL: url, Prefix: newPrefix()})
	}, storetest.Config{})
	denied, err := do(t, server.admin(), "acl", "log").ToArray()
	if err != nil || len(denied) > 0 {
		t.Errorf("the server denied %v (%v)", denied, err)
	}
	for _, rule := range documented(t) {
		command, ok := strings.CutPrefix(rule, "+")
		if ok && !strings.HasPrefix(command, "cluster|shards") && calls(t, server.admin(), command) == 0 {
			t.Errorf("%s is permitted and never called", command)
		}
	}
}

func TestUserWithoutPermissions(t *testing.T) {
	server := startServer(t)
	url := setUser(t, server, "-hset", "-set", "-get", "-hmget", "-subscribe")
	s := open(t, redis.Config{URL: url})
	wantErrors(t, s, "NOPERM", "Subscribe")
	wantErrors(t, s, "can't run this command or subcommand", "Beat", "Take", "Lookup", "Claim",
		"ReserveOrder", "SettleOrder", "PullOrder", "AllowPaced", "RejectPaced")
	setUser(t, server)
	wantAll(t, s)
	setUser(t, server, "resetkeys", "~other*")
	wantErrors(t, s, "redis: ", "Beat", "Take", "Publish", "Lookup", "Claim",
		"ReserveOrder", "SettleOrder", "PullOrder", "AllowPaced", "RejectPaced", "ReturnPaced")
	setUser(t, server, "resetchannels")
	wantErrors(t, s, "redis: ", "Publish", "Subscribe")
	setUser(t, server)
	wantAll(t, s)
}

func TestWrongPassword(t *testing.T) {
	server := startServer(t)
	url := setUser(t, server)
	s := open(t, redis.Config{URL: strings.Replace(url, password, "wrong-"+password, 1)})
	for _, name := range every {
		err := methods[name](t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("%s returned %v, want WRONGPASS", name, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), password) {
			t.Errorf("%s shows the password", name)
		}
	}
	do(t, server.admin(), "acl", "setuser", "spillway", ">wrong-"+password)
	wantAll(t, s)
}

func TestUnixSocketAndDatabase(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: "unix://" + server.dir + "/socket?db=3"})
	wantAll(t, s)
	if n, err := do(t, server.admin(), "dbsize").AsInt64(); err != nil || n != 0 {
		t.Errorf("database 0 has %d keys (%v), want none", n, err)
	}
}

func TestKeysAreHashedAndExpire(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	admin := server.admin()
	valid := regexp.MustCompile(
		`^spillway\{([0-9a-f]{16}|fleet|facts)\}(:(window|numbers|slots|owner|claim|members|versions|ends|meta|order|buckets|changes|pulls|pacer))?$`)
	names := keys(t, admin)
	if len(names) < 15 {
		t.Errorf("there are keys %v, want at least fifteen", names)
	}
	for _, name := range names {
		if !valid.MatchString(name) {
			t.Errorf("there is a key %q", name)
		}
		ttl, err := do(t, admin, "pttl", name).AsInt64()
		// A claim is gone by the time it is looked at, at times.
		if err != nil || ttl == -1 || ttl > (49*time.Hour).Milliseconds() {
			t.Errorf("%s expires in %d ms (%v)", name, ttl, err)
		}
	}
}

// Scripts are sent once in full, and never loaded.
func TestScriptsAreSentOnlyWhereTheyAreNotKnown(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: setUser(t, server, "-script|load")})
	admin := server.admin()
	for range 2 {
		do(t, admin, "config", "resetstat")
		wantAll(t, s)
		wantCalls(t, admin, "eval", 15) // of fourteen scripts; Take asks twice, at once
		do(t, admin, "config", "resetstat")
		wantAll(t, s)
		wantCalls(t, admin, "eval", 0)
		wantCalls(t, admin, "script|load", 0)
		do(t, admin, "script", "flush")
	}
}

// wantCalls checks how often a command was called.
func wantCalls(t *testing.T, admin rueidis.Client, command string, want int) {
	t.Helper()
	if got := calls(t, admin, command); got != want {
		t.Errorf("%s was called %d times, want %d", command, got, want)
	}
}

// calls returns how often a command was called.
func calls(t *testing.T, admin rueidis.Client, command string) int {
	t.Helper()
	stats, err := admin.Do(context.Background(), admin.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	if _, after, ok := strings.Cut(stats, "cmdstat_"+command+":calls="); ok {
		fmt.Sscan(strings.Split(after, ",")[0], &got)
	}
	return got
}
