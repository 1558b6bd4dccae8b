package metrics

import "github.com/spillway-go/spillway/internal/observed"

// The metrics of models.
var (
	queued     = gauge("queued_calls", "Calls that wait for an endpoint now.", modelLabels...)
	exhausted  = counter("exhausted_total", "How often a call asked for an endpoint and got none.", modelLabels...)
	rerouted   = counter("rerouted_attempts_total", "Answers of other models than the one that was asked for.", modelLabels...)
	reroutedTo = gauge("rerouted_info", "The model that answered last in place of another.", "model", "method", "served")

	modelLabels = []string{"model", "method"}
)

func (s snapshot) models() {
	type series struct{ model, method string }
	seen := make(map[series]bool, len(s.stat.Models))
	for i := range s.stat.Models {
		m := &s.stat.Models[i]
		of := series{observed.Text(m.Model), observed.Account(m.Method)}
		if seen[of] {
			continue
		}
		seen[of] = true
		s.send(queued, float64(m.Waiting), of.model, of.method)
		s.send(exhausted, float64(m.ExhaustedCount), of.model, of.method)
		s.send(rerouted, float64(m.ReroutedCount), of.model, of.method)
		if m.Served != "" {
			s.send(reroutedTo, 1, of.model, of.method, observed.Text(m.Served))
		}
	}
}
