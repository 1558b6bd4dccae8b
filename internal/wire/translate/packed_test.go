package translate_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/wire/translate"
)

func TestVectorsArePackedAsTheirClientAsks(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":[{"embedding":[1, -0.5,2.5e-3],"index":0},{"index":1,"embedding":[]}],"model":"m"}`: `{"data":[{"embedding":"AACAPwAAAL8K1yM7","index":0},{"index":1,"embedding":""}],"model":"m"}`,
		`{"data":[{"embedding":"AACAPw=="}]}`:                                                        `{"data":[{"embedding":"AACAPw=="}]}`,
		`{"data":[{"embedding":[1,"x"]}]}`:                                                           `{"data":[{"embedding":[1,"x"]}]}`,
		`{"data":[{"embedding":[[1]]}]}`:                                                             `{"data":[{"embedding":[[1]]}]}`,
		`{"data":[{"values":[1]}],"embedding":[]}`:                                                   `{"data":[{"values":[1]}],"embedding":[]}`,
		`{"data":[{"embedding":[1`:                                                                   `{"data":[{"embedding":"AACAPw=="`,
		`[{"embedding":[1]}]`:                                                                        `[{"embedding":[1]}]`,
		``:                                                                                           ``,
	} {
		was := []byte(body)
		if got := string(translate.Packed(was)); got != want || string(was) != body {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
