package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestAMisspeltClientIsRefusedBeforeAnythingIsBuilt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // whatever it starts fails
	if err := run(ctx, io.Discard, "nod"); err == nil || !strings.Contains(err.Error(), "write one of python, ") {
		t.Errorf("it ends with %v", err)
	}
}
