package redis

import (
	"strings"
	"testing"
)

// TakeByList makes take.lua read the time from a list of seconds and microseconds, until the end of
// the test.
func TakeByList(t *testing.T, list string) {
	old := takeScript
	t.Cleanup(func() { takeScript = old })
	takeScript = newScript(strings.Replace(takeText,
		"redis.call('TIME')", "redis.call('LRANGE', '"+list+"', 0, 1)", 1))
}
