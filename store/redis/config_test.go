package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store/redis"
)

func TestConfigErrorsSayWhatToWriteAndShowNoPassword(t *testing.T) {
	const password = "hunter2"
	for _, test := range []struct {
		config redis.Config
		field  string
		says   string
	}{
		{redis.Config{}, "URL", "is missing"},
		{redis.Config{URL: "localhost:6379"}, "URL", "write redis://"},
		{redis.Config{URL: "http://user:hunter2@host"}, "URL", "unknown scheme"},
		{redis.Config{URL: "redis://user:hunter2"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:hunter2@"}, "URL", "has no host"},
		{redis.Config{URL: "redis://user:hun/hunter2@host"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:1/hunter2@host"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:1#hunter2@host"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:1?hunter2@host"}, "URL", "has a parameter other than"},
		{redis.Config{URL: "redis://user:%hunter2@host"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:hunter2@host:port"}, "URL", "escaping"},
		{redis.Config{URL: "redis://user:hunter2@host:99999"}, "URL", "has a port that is not"},
		{redis.Config{URL: "redis://user:hunter2@host:0"}, "URL", "has a port that is not"},
		{redis.Config{URL: "redis://user:hunter2@host?addr=other:99999"}, "URL", "has a port that is not"},
		{redis.Config{URL: "redis://user:hunter2@host/hunter2"}, "URL", "is not a number"},
		{redis.Config{URL: "redis://user:hunter2@host?db=hunter2"}, "URL", "is not a number"},
		{redis.Config{URL: "redis://user:hunter2@host/1/2"}, "URL", "is not a number"},
		{redis.Config{URL: "redis://user:hunter2@host?hunter2=1"}, "URL", "has a parameter other than"},
		{redis.Config{URL: "redis://user:hunter2@host", Prefix: "a{b}"}, "Prefix", "letters, digits"},
		{redis.Config{URL: "redis://user:hunter2@host", Timeout: -1}, "Timeout", "positive"},
		{redis.Config{URL: "redis://user:hunter2@host", Timeout: time.Hour}, "Timeout", "at most a minute"},
	} {
		s, err := redis.Open(test.config)
		if err == nil {
			s.Close()
		}
		var e *redis.ConfigError
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(err.Error(), test.says) {
			t.Errorf("Open(%+v) returned %v, want an error of %s that says %q", test.config, err, test.field, test.says)
		}
		if strings.Contains(fmt.Sprintf("%v %#v", err, err), password) {
			t.Errorf("the error %v shows the password", err)
		}
	}
}

func TestURLForms(t *testing.T) {
	for _, url := range []string{
		"redis://host", "redis://host:6379/0", "rediss://user:p%40ss@host", "redis://:password@host/2",
		"redis://[::1]:6379?db=2", "unix:///run/redis.sock?db=1", "unix://user:password@/run/redis.sock",
		"valkey://host", "valkeys://host", "rediss://node1?addr=node2:6379&addr=node3:6379",
		"redis://one:26379/0?addr=two:26379&master_set=main&sentinel_user=u&sentinel_password=p",
	} {
		s, err := redis.Open(redis.Config{URL: url})
		if err != nil {
			t.Errorf("Open of %s failed: %v", url, err)
			continue
		}
		begun := time.Now()
		s.Close()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("Close took %v", took)
		}
	}
}

func TestClosedStore(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	s.Close()
	s.Close()
	for _, name := range every {
		if err := methods[name](t.Context(), s); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s of a closed store returned %v, want %v", name, err, redis.ErrClosed)
		}
	}
}

func TestStoreOverAClientOfTheProgram(t *testing.T) {
	server := startServer(t)
	client := server.admin()
	s, err := redis.New(client, redis.Config{Prefix: "other", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, s)
	s.Close()
	do(t, client, "ping")
	for _, name := range keys(t, client) {
		if !strings.HasPrefix(name, "other{") {
			t.Errorf("there is a key %q", name)
		}
	}
}
