package geminitest_test

import (
	"testing"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/sdktour"
)

func TestEveryMethodOfTheSDKIsAnsweredOnBothBackEnds(t *testing.T) {
	google := geminitest.New(twoBackends())
	for name, client := range sdkClients(t, google, "") {
		t.Run(name, func(t *testing.T) { sdktour.Everything(t, client, sdktour.Google{Models: geminitest.DefaultModels()}) })
	}
	if google.KeysInURL() != 0 || google.CountWrongOwner(geminitest.Match{}) != 0 {
		t.Errorf("keys in URLs %d, calls to a wrong owner %d; want none", google.KeysInURL(), google.CountWrongOwner(geminitest.Match{}))
	}
}

func TestEveryMethodOfTheSDKIsAnsweredOverLoopback(t *testing.T) {
	google := geminitest.NewServer(t, twoBackends())
	for name, client := range sdkClients(t, google, google.URL) {
		t.Run(name, func(t *testing.T) { sdktour.Resources(t, client) })
	}
}
