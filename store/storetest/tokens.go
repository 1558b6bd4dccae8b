package storetest

import "github.com/spillway-go/spillway/store"

var tokenLaws = []law{
	{"TokensEndAtTheLimit", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{TPM: 1000}, Requests: 1, Tokens: 300, Least: 300,
		}
		k.wantGranted(anna, a, 1, 300)
		k.wantGranted(bert, a, 1, 300)
		k.wantGranted(anna, a, 1, 300)
		if g := k.wantGranted(bert, a, 0, 0); g.Next.IsZero() {
			k.Error("less than Least is left and Next is zero")
		}
		a.Least = 50
		k.wantGranted(bert, a, 1, 100)
		k.wantGranted(bert, a, 0, 0)
	}},
	{"TokensOfManyEndAtTheLimit", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{TPM: 10_000}, Requests: 3, Tokens: 1000, Least: 100,
		}
		got := k.storm(a).tokens.Load()
		if got > 10_000 || got < 9901 {
			k.Errorf("askers at once got %d tokens, want 9901 to 10,000", got)
		}
	}},
	{"FewerRequestsGetTokensInProportionRoundedUp", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 2, TPM: 1000}, Requests: 3, Tokens: 100, Least: 10,
		}
		k.wantGranted(anna, a, 2, 67)
	}},
	{"FewerTokensGetRequestsInProportionRoundedDown", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{TPM: 250}, Requests: 4, Tokens: 400, Least: 100,
		}
		k.wantGranted(anna, a, 2, 250)
		a.Key, a.Limits.TPM = window(), 150
		k.wantGranted(anna, a, 1, 150)
		a.Key, a.Tokens, a.Least = window(), 4000, 10
		k.wantGranted(anna, a, 1, 150) // less than any needs, but no less than Least
	}},
	{"AnAskForManyGetsAQuarterOfTheTokens", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{TPM: 999}, Requests: 10, Tokens: 1000, Least: 100,
		}
		k.wantGranted(anna, a, 2, 250)
		a.Least = 400
		k.wantGranted(bert, a, 4, 400)
	}},
	{"TheFirstRequestGetsLeast", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 1, TPM: 1000}, Requests: 4, Tokens: 400, Least: 250,
		}
		k.wantGranted(anna, a, 1, 250)
	}},
	{"ARequestLargerThanTheLimitPassesAlone", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 10, TPM: 100}, Requests: 3, Tokens: 900, Least: 300,
		}
		k.wantGranted(anna, a, 1, 300)
		if g := k.wantGranted(bert, a, 0, 0); g.Next.IsZero() {
			k.Error("tokens are used and Next of a request that is too large is zero")
		}
		k.wantUsed(a, 1, 300, 0)

		a.Key = window()
		small := a
		small.Requests, small.Tokens, small.Least = 1, 1, 1
		k.wantGranted(bert, small, 1, 1)
		k.wantGranted(anna, a, 0, 0)
	}},
	{"HugeNumbersDoNotOverflow", func(k *kit) {
		const huge = 1 << 40
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: huge, TPM: huge}, Requests: 4, Tokens: huge, Least: 1,
		}
		k.wantGranted(anna, a, 4, huge)
		k.wantGranted(bert, a, 0, 0)
	}},
}
