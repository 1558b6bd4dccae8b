package geminitest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// reason is what ErrorInfo says, and its metadata.
func (r reply) reason(t *testing.T) (string, map[string]string) {
	t.Helper()
	var p struct {
		Error struct {
			Details []struct {
				Reason   string
				Metadata map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%d %q", r.status, r.body)
	}
	for _, d := range p.Error.Details {
		if d.Reason != "" {
			return d.Reason, d.Metadata
		}
	}
	return "", nil
}

func TestExpiredTokensAreRefusedUntilANewOneComes(t *testing.T) {
	cfg := pair()
	cfg.Projects[0].Tokens = []string{"token-a", "token-new"}
	overBoth(t, cfg, func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		at := func(token string) reply {
			return ask{token: token, project: "a", where: "eu"}.do(t.Context(), rt)
		}
		if got := at("token-a"); got.status != 200 {
			t.Fatal(got.body)
		}
		google.Expire("token-a")
		for range 2 {
			got := at("token-a")
			if reason, _ := got.reason(t); got.status != 401 || reason != "ACCESS_TOKEN_EXPIRED" {
				t.Errorf("got %d %s", got.status, got.body)
			}
		}
		if got := at("token-new"); got.status != 200 {
			t.Errorf("the new one: %d %s", got.status, got.body)
		}
		google.Revoke("token-new")
		if reason, _ := at("token-new").reason(t); reason != "ACCESS_TOKEN_TYPE_UNSUPPORTED" {
			t.Errorf("a revoked token: %s", reason)
		}
		google.Restore("token-a")
		if got := at("token-a"); got.status != 200 {
			t.Errorf("restored: %d %s", got.status, got.body)
		}
	})
}

func TestOneOfTwoKeysIsRefused(t *testing.T) {
	cfg := pair()
	cfg.Projects[0].Keys = []string{"key-a", "key-good"}
	google := geminitest.New(cfg)
	for reason, c := range map[string]struct {
		answer geminitest.Answer
		status int
		names  string // in the metadata
	}{
		"ACCESS_TOKEN_TYPE_UNSUPPORTED": {geminitest.KeyTypeUnsupported(), 401, "generativelanguage.googleapis.com"},
		"ACCOUNT_STATE_INVALID":         {geminitest.AccountStateInvalid("robot@a.iam.gserviceaccount.com"), 401, "robot@a.iam.gserviceaccount.com"},
		"CREDENTIALS_MISSING":           {geminitest.KeyUnsupported(), 401, "generativelanguage.googleapis.com"},
		"CONSUMER_SUSPENDED":            {geminitest.KeySuspended("key-a"), 403, "api_key:key-a"},
	} {
		google.Refuse("key-a", c.answer)
		for _, method := range []string{"generateContent", "streamGenerateContent", "countTokens"} {
			got := ask{key: "key-a", method: method}.do(t.Context(), google)
			said, metadata := got.reason(t)
			named := slices.ContainsFunc([]string{"service", "email", "containerInfo"}, func(name string) bool { return metadata[name] == c.names })
			if got.status != c.status || said != reason || !named {
				t.Errorf("%s of %s: %d %s", reason, method, got.status, got.body)
			}
			if got := (ask{key: "key-good", method: method}).do(t.Context(), google); got.status != 200 {
				t.Errorf("the other key: %d %s", got.status, got.body)
			}
		}
	}
}

func TestSuspensionsNameTheKeyOrTheProject(t *testing.T) {
	for says, answer := range map[string]geminitest.Answer{
		"api_key:AQ.1": geminitest.KeySuspended("AQ.1"), "projects/123": geminitest.ProjectSuspended("123"),
	} {
		got := reply{status: answer.Status, body: string(answer.Body)}
		reason, metadata := got.reason(t)
		if got.status != 403 || reason != "CONSUMER_SUSPENDED" || metadata["containerInfo"] != says || !strings.HasPrefix(metadata["consumer"], "projects/") {
			t.Errorf("%s: %s", says, got.body)
		}
		if message := got.problem(t).Error.Message; message != "Permission denied: Consumer '"+says+"' has been suspended." {
			t.Errorf("%s: %s", says, message)
		}
	}
}

func TestPreconditionsFailInTheWordsOfWhatTheyAreAbout(t *testing.T) {
	for says, answer := range map[string]geminitest.Answer{
		"Service agents are being provisioned":                geminitest.ServiceAgentsMissing(),
		"Project `a` is not allowed to use Publisher Model `": geminitest.ModelNotAllowed("a", "eu", flash),
		"constraints/gcp.resourceLocations":                   geminitest.LocationConstrained("a", "eu"),
		"only accessible to billed users":                     geminitest.BillingRequired("Imagen API"),
		"User location is not supported":                      geminitest.LocationUnsupported(),
		"The File x is not in an ACTIVE state":                geminitest.FileNotActive("x"),
		"What nobody has seen before":                         geminitest.FailedPrecondition("What nobody has seen before."),
	} {
		got := reply{status: answer.Status, body: string(answer.Body)}
		if p := got.problem(t); got.status != 400 || p.Error.Status != "FAILED_PRECONDITION" || !strings.Contains(p.Error.Message, says) {
			t.Errorf("%s: %d %s", says, got.status, got.body)
		}
	}
}

func TestDenialsSayWhatTheCallNames(t *testing.T) {
	for _, tt := range []struct {
		answer geminitest.Answer
		status int
		word   string
		says   string
	}{
		{geminitest.CallerDenied(), 403, "PERMISSION_DENIED", "The caller does not have permission"},
		{geminitest.InputFileDenied(), 403, "PERMISSION_DENIED", "Permission denied while accessing input file"},
		{geminitest.StorageDenied("a@b.iam.gserviceaccount.com", "bucket/o"), 403, "PERMISSION_DENIED", "Object: bucket/o"},
		{geminitest.ObjectMissing("bucket/o"), 404, "NOT_FOUND", "No such object: bucket/o"},
	} {
		got := reply{status: tt.answer.Status, body: string(tt.answer.Body)}
		if p := got.problem(t); got.status != tt.status || p.Error.Status != tt.word || !strings.Contains(p.Error.Message, tt.says) {
			t.Errorf("%s: %d %s", tt.says, got.status, got.body)
		}
	}
}

// TestOneVersionLacksAModel has it in v1beta, and not in v1.
func TestOneVersionLacksAModel(t *testing.T) {
	google := geminitest.New(pair())
	google.Keep(geminitest.Match{Version: "v1", Method: "generateContent"}, geminitest.VersionMissing(flash, "v1", "generateContent"))
	for version, want := range map[string]int{"v1": 404, "v1beta": 200} {
		got := ask{key: "key-a", url: studio + "/" + version + "/models/" + flash + ":generateContent"}.do(t.Context(), google)
		if got.status != want || want == 404 && !strings.Contains(got.body, "is not found for API version v1, or is not supported for generateContent") {
			t.Errorf("%s: %d %s", version, got.status, got.body)
		}
		if got := (ask{key: "key-a", url: studio + "/" + version + "/models/" + flash + ":countTokens"}).do(t.Context(), google); got.status != 200 {
			t.Errorf("another method in %s: %d %s", version, got.status, got.body)
		}
	}
}
