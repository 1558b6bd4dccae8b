package pool

func (f *faults) limit(at string, l *Limit) {
	if l.Model != "" {
		f.glob(at+".model", "model", l.Model)
	}
	if *l == (Limit{Model: l.Model}) {
		f.add(at, "the limits table limits nothing", "write rpm, tpm, rpd or concurrency")
	}
	dimensions := []struct {
		name  string
		value int64
	}{{"rpm", l.RPM}, {"tpm", l.TPM}, {"rpd", l.RPD}, {"concurrency", l.Concurrency}}
	for _, d := range dimensions {
		if d.value < 0 {
			f.add(at+"."+d.name, d.name+" is negative",
				"write a limit above 0, or leave it out for no limit")
		}
	}
}
