package main

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestEmulatedKeysAnswerEveryQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the emulator's minute does not end meanwhile
		var out strings.Builder
		if err := run(t.Context(), &out, emulated, 8); err != nil {
			t.Fatal(err)
		}
		const want = `question 0  main/global/on_demand    requests: 2
question 1  main/global/on_demand    requests: 1
question 2  main/global/on_demand    requests: 1
question 3  main/global/on_demand    requests: 1
question 4  main/global/on_demand    requests: 1
question 5  other/global/on_demand   requests: 2
question 6  other/global/on_demand   requests: 1
question 7  other/global/on_demand   requests: 1
`
		if got := out.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

func TestMissingVariablesAreNamed(t *testing.T) {
	names := []string{"GEMINI_MAIN_KEY_1", "GEMINI_MAIN_KEY_2", "GEMINI_OTHER_KEY"}
	for _, name := range names {
		t.Setenv(name, "")
	}
	err := run(t.Context(), &strings.Builder{}, google, 1)
	if err == nil {
		t.Fatal("run without keys went well")
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
