package spelling_test

import (
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/spelling"
)

func TestNearest(t *testing.T) {
	known := []string{"global", "eu", "europe-west1", "europe-west4", "us-central1"}
	for _, tt := range []struct{ text, want string }{
		{"globl", "global"},
		{"Europe-West3", "europe-west1"}, // of equals the first
		{"us-centrall", "us-central1"},
		{"us-cetnral1", "us-central1"},
		{"EU", "eu"},
		{"asia-northeast1", ""},
		{"", ""},
		{strings.Repeat("x", 1<<20), ""},
	} {
		got, ok := spelling.Nearest(tt.text, known)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("Nearest(%.20q) = %q, %v, want %q", tt.text, got, ok, tt.want)
		}
	}
}
