package geminitest_test

import (
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// BenchmarkRoundTrip is what a call costs in memory: it bounds how fast simulations run.
func BenchmarkRoundTrip(b *testing.B) {
	google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 1 << 30}}})
	for name, a := range map[string]ask{"unary": {key: "key-1"}, "stream": {key: "key-1", method: "streamGenerateContent"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := a.do(b.Context(), google); r.status != 200 {
					b.Fatal(r.body)
				}
			}
		})
	}
}
