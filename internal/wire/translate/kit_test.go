package translate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

func parse(tb testing.TB, method, address, body string) request.Call {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return request.Parse(method, u, []byte(body))
}

// exchange is one request that the SDK made, and what it made of the answer.
type exchange struct {
	req  *http.Request
	body []byte
	err  error // the SDK's own; it sent nothing
}

// sdk is a client of one back end whose every request is answered with the same body.
type sdk struct {
	client *genai.Client
	last   exchange
	answer []byte
}

func newSDK(tb testing.TB, backend pool.Backend) *sdk {
	tb.Helper()
	s := &sdk{answer: []byte("{}")}
	cfg := genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "spillway", HTTPClient: &http.Client{Transport: s}}
	if backend == pool.BackendVertex {
		cfg.Backend, cfg.APIKey, cfg.Project, cfg.Location = genai.BackendVertexAI, "", "spillway", "global"
	}
	client, err := genai.NewClient(context.Background(), &cfg)
	if err != nil {
		tb.Fatal(err)
	}
	s.client = client
	return s
}

func (s *sdk) RoundTrip(req *http.Request) (*http.Response, error) {
	s.last.req = req
	if req.Body != nil {
		s.last.body, _ = io.ReadAll(req.Body)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(s.answer)), Request: req}, nil
}

// send has the SDK make a request.
func (s *sdk) send(call func(*genai.Client) error) exchange {
	s.last = exchange{}
	err := call(s.client)
	if s.last.req == nil {
		s.last.err = errors.Join(err, errors.New("nothing was sent"))
	}
	return s.last
}

func (e exchange) call() request.Call { return request.Parse(e.req.Method, e.req.URL, e.body) }

func other(b pool.Backend) pool.Backend {
	if b == pool.BackendGemini {
		return pool.BackendVertex
	}
	return pool.BackendGemini
}

var backends = []pool.Backend{pool.BackendGemini, pool.BackendVertex}

// home is where the SDK of newSDK sends a back end's requests.
func home(b pool.Backend) request.Target {
	if b == pool.BackendVertex {
		return request.Target{Backend: b, Project: "spillway", Location: "global"}
	}
	return request.Target{Backend: b}
}
