package redis

import (
	"strings"
	"testing"
)

// ClockByList makes the scripts of grants read the time from a list of seconds and microseconds,
// until the end of the test.
func ClockByList(t *testing.T, list string) {
	for _, s := range []**script{&takeScript, &reserveScript, &settleScript, &pullScript, &allowScript, &rejectScript, &returnScript} {
		old := *s
		t.Cleanup(func() { *s = old })
		*s = newScript(strings.Replace(old.text, "redis.call('TIME')", "redis.call('LRANGE', '"+list+"', 0, 1)", 1))
	}
}
