package metrics

import (
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// The metrics of what is on cooldown.
var (
	cooldownActive = gauge("cooldown_active", "What is on cooldown, by the class of the answer that began it.", cooldownLabels...)
	cooldownLeft   = gauge("cooldown_remaining_seconds", "Time until a cooldown ends by itself.", cooldownLabels...)

	cooldownLabels = []string{"kind", "subject", "class"}
)

func (s snapshot) cooldowns() {
	s.cooldownsOf(s.stat.Cooldowns)
	s.cooldownsOf(s.stat.Pauses) // of class "paused"
}

func (s snapshot) cooldownsOf(all map[string]pool.Cooldown) {
	for subject, c := range all {
		kind, _, _ := strings.Cut(subject, ":")
		s.send(cooldownActive, 1, kind, subject, string(c.Class))
		if !c.Until.IsZero() {
			s.send(cooldownLeft, max(c.Until.Sub(s.stat.At).Seconds(), 0), kind, subject, string(c.Class))
		}
	}
}
