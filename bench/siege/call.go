package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// newClient returns a client of the siege that speaks one version of HTTP.
func newClient(to *target, version2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(version2)
	protocols.SetHTTP1(!version2)
	return &http.Client{Transport: &http.Transport{
		Protocols: &protocols, MaxIdleConnsPerHost: 1000,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, to) },
	}}
}

// post makes a call and returns its status, and its body unless it was served.
func post(ctx context.Context, client *http.Client, to *target, model string) (status string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.address+"/v1beta/models/"+model+":generateContent", strings.NewReader(hello))
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp.Status, err
	}
	return fmt.Sprintf("%s: %.200s", resp.Status, body), nil
}
