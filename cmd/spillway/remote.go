package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

const (
	// remoteTimeout is for one response from this machine or nearby.
	remoteTimeout = 5 * time.Second
	// maxRemote bounds a response. The snapshot of a hundred thousand endpoints fits.
	maxRemote = 64 << 20
	// maxShown bounds what is shown of a text that is not a sidecar's.
	maxShown = 300
)

// remote is a running sidecar, as a command reaches it: its URL without a path.
type remote string

// defaultRemote is the sidecar of a command that names none.
const defaultRemote remote = "http://" + defaultListen

// remoteOf returns the sidecar that a command's arguments name: none is the default one. It is not
// ok if they are more than one URL.
func remoteOf(args []string) (at remote, ok bool) {
	switch len(args) {
	case 0:
		return defaultRemote, true
	case 1:
		address := strings.TrimSuffix(args[0], "/")
		if !strings.Contains(address, "://") && !strings.HasPrefix(address, socketScheme) {
			address = "http://" + address
		}
		return remote(address), true
	default:
		return "", false
	}
}

// open sends a GET for a path, and returns a good response. Its body is the caller's to close.
func (at remote) open(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	return at.send(ctx, http.MethodGet, path, header, nil)
}

// send sends a request, and returns a good response. Its body is the caller's to close. The default
// sidecar is asked at its address for clients first, and then at that for operators, if nobody is there
// or there is TLS.
func (at remote) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	resp, err := at.try(ctx, method, path, header, body)
	var dial *net.OpError
	elsewhere := errors.Is(err, errTLS) || errors.As(err, &dial) && dial.Op == "dial"
	if at != defaultRemote || !elsewhere {
		return resp, err
	}
	other, otherErr := remote("http://"+defaultAdmin).try(ctx, method, path, header, body)
	if otherErr == nil || errors.As(otherErr, new(refusedError)) {
		return other, otherErr
	}
	if dial != nil {
		err = fmt.Errorf("%w; if it listens elsewhere, name its URL", err)
	}
	return nil, err
}

// adminTokenVariable is where commands find the token of operators.
const adminTokenVariable = "SPILLWAY_ADMIN_TOKEN" //nolint:gosec // a name

// try sends a request to one address.
func (at remote) try(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	client, url := http.DefaultClient, string(at)
	if socket, ok := strings.CutPrefix(url, socketScheme); ok {
		client, url = socketClient(socket), "http://localhost"
	}
	req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body)) //nolint:gosec // the user of the command gives the address
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	if token := os.Getenv(adminTokenVariable); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req) //nolint:gosec // as above
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return nil, fmt.Errorf("no sidecar responds: %w; on Linux SSL_CERT_FILE=FILE adds the certificate of a private authority", err)
	case err != nil:
		return nil, fmt.Errorf("no sidecar responds: %w", err)
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, at.refused(resp)
}

// refused returns what a response says that is not a good one, and what to do about it.
func (at remote) refused(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16)) // half of it is another's
	said := refusalOf(text)
	switch {
	case said != "" && resp.StatusCode == http.StatusUnauthorized:
		return refusedError(said + "; a command takes it from " + adminTokenVariable + " in the environment")
	case said != "":
		return refusedError(said)
	case resp.StatusCode == http.StatusBadRequest && bytes.HasPrefix(text, []byte(plainOverTLS)):
		return fmt.Errorf("%s %w; write https:// with a name of its certificate, a unix: address of [serve], "+
			"or the address of its admin", at, errTLS)
	default:
		return fmt.Errorf("%s %w: it responds with %s", at, errOther, plain.Text(resp.Status, maxShown))
	}
}

// plainOverTLS is what net/http responds to a request without TLS, where there is TLS.
const plainOverTLS = "Client sent an HTTP request to an HTTPS server"

// errTLS means that an address is asked without TLS, and has TLS.
var errTLS = errors.New("asks for TLS")

// socketScheme begins the address of a sidecar on a unix socket.
const socketScheme = "unix:"

// socketClient returns a client of a socket, for one request.
func socketClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
}

// errOther means that what responds is not a sidecar.
var errOther = errors.New("is not a sidecar")

// refusedError is what a sidecar says that refuses to respond.
type refusedError string

func (e refusedError) Error() string { return string(e) }

// useless reports whether the same request would fail again, after an error of remote's.
func useless(err error) bool {
	var refused refusedError
	return errors.Is(err, errOther) || errors.Is(err, errTLS) || errors.As(err, &refused)
}

// refusalOf returns what a sidecar says in an error of its own; "" if the response is another's.
func refusalOf(text []byte) string {
	var refused struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &refused) != nil {
		return ""
	}
	said, ours := strings.CutPrefix(refused.Error.Message, "spillway: ")
	if !ours {
		return ""
	}
	return plain.Text(said, maxShown)
}

// get fetches a JSON document into v.
func (at remote) get(ctx context.Context, path string, v any) error {
	_, err := at.ask(ctx, http.MethodGet, path, nil, v)
	return err
}

// ask sends a request, with a body as JSON unless it is nil, and reads the JSON of the response into
// v. It returns that as it came, too.
func (at remote) ask(ctx context.Context, method, path string, body, v any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	var content []byte
	header := http.Header{}
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
	}
	resp, err := at.send(ctx, method, path, header, content)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRemote+1))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no sidecar responds: its response has not ended after %s", remoteTimeout)
	case err != nil:
		return nil, fmt.Errorf("the response broke off: %w", err)
	case len(text) > maxRemote:
		return nil, fmt.Errorf("%s %w: its response is larger than any of a sidecar's", at, errOther)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%s %w: %s", at, errOther, plain.Text(err.Error(), maxShown))
	}
	return text, nil
}

// snapshot fetches the sidecar's state.
func (at remote) snapshot(ctx context.Context) (s snapshot, err error) {
	if err := at.get(ctx, statusPath, &s); err != nil {
		return s, err
	}
	if s.At.IsZero() && s.Backend == "" && s.Projects == nil && s.Endpoints == nil {
		return s, fmt.Errorf("%s %w: its response is another one", at, errOther)
	}
	return s.visible(), nil
}
