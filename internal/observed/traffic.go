package observed

import "slices"

// traffics are the kinds of traffic that are told apart. Others are Google's newer ones.
var traffics = []string{"provisioned", "on_demand", "on_demand_priority", "on_demand_flex"}

// Traffic names what served an attempt, as router.AttemptEnd has it; "other" for what is not known.
func Traffic(name string) string {
	if slices.Contains(traffics, name) {
		return name
	}
	return "other"
}
