package quota

// Cost is what a call takes from an order, in burned-down tokens.
type Cost struct {
	Input  float64 // its prompt
	Output float64 // its answer
	// Usual is what a usual answer costs at the moment at which Output was estimated, if the two
	// differ. Zero means Output.
	Usual float64
}

// output returns the tokens of the answer, which the caller may have made up.
func (c Cost) output() float64 { return float64(thousandths(c.Output)) / millis }

// usual returns the tokens of a usual answer, or zero if the call answers nothing.
func (c Cost) usual() float64 {
	output := c.output()
	if usual := float64(thousandths(c.Usual)) / millis; usual > 0 && output > 0 {
		return usual
	}
	return output
}
