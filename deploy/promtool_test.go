package deploy_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// page returns what a registry serves to a Prometheus.
func page(t *testing.T, registry *prometheus.Registry) []byte {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.Bytes()
}

// Prometheus' own tool accepts the metrics of a run in which something of everything has happened, and
// the alerts.
func TestPromtoolFindsNothing(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("skipped: there is no promtool on the PATH; Debian has it in its package prometheus")
	}
	r := perform(t)
	for name, shown := range map[string][]byte{"the metrics": r.page, "those of a replica": r.idlePage} {
		check := exec.Command(tool, "check", "metrics")
		check.Stdin = bytes.NewReader(shown)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 || len(shown) == 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := exec.Command(tool, "check", "rules", "alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("the alerts: %v\n%s", err, out)
	}
}
