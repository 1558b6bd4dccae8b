package metrics

import "strings"

// The metrics of what is on cooldown.
var (
	cooldownActive = gauge("cooldown_active", "What is on cooldown, by the class of the answer that began it.", cooldownLabels...)
	cooldownLeft   = gauge("cooldown_remaining_seconds", "Time until a cooldown ends by itself.", cooldownLabels...)

	cooldownLabels = []string{"kind", "subject", "class"}
)

func (s snapshot) cooldowns() {
	for subject, c := range s.stat.Cooldowns {
		kind, _, _ := strings.Cut(subject, ":")
		s.send(cooldownActive, 1, kind, subject, string(c.Class))
		if !c.Until.IsZero() {
			s.send(cooldownLeft, max(c.Until.Sub(s.stat.At).Seconds(), 0), kind, subject, string(c.Class))
		}
	}
}
