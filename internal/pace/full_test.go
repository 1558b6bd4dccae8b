//go:build linux

package pace_test

import (
	"bytes"
	"net/http"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway-go/spillway/internal/pace"
)

// A line that was written in part, because the disk is full, is followed by no other, also if there
// is room again a moment later. The next run cuts it off and goes on.
func TestARunGoesOnAfterAFullDisk(t *testing.T) {
	j := newJob(t, requests(100))
	const most = 1 << 20 // above what the test's own log of files takes
	long := strings.Replace(served, "{", `{"pad": "`+strings.Repeat("x", 20<<10)+`", `, 1)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Error(err)
		}
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	limit(syscall.Rlimit{Cur: most, Max: was.Max})
	defer limit(was)
	_, err := j.run(t.Context(), false, pace.Config{Parallel: 2, Transport: server(func(_ *http.Request, body []byte) (int, http.Header, string) {
		if bytes.Contains(body, []byte(`"text":"0"`)) { // it ends when the disk was full
			for full := false; !full && t.Context().Err() == nil; runtime.Gosched() {
				var info syscall.Stat_t // os.Stat would write to that log
				full = syscall.Stat(j.path, &info) == nil && info.Size == most
			}
			limit(was)
		}
		return 200, nil, long
	})})
	if err == nil {
		t.Fatal("the disk was not full")
	}
	sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })})
	if err != nil || sum.Left != 0 || len(j.lines()) != 100 {
		t.Errorf("%v, %+v", err, sum)
	}
}
