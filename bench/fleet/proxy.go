package main

import (
	"context"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxy stands between replicas and the server.
type proxy struct{ *toxiproxy.Proxy }

// startProxy starts a proxy on a free port.
func startProxy(upstream string) (proxy, error) {
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(s, "redis", "127.0.0.1:0", upstream)
	return proxy{p}, p.Start()
}

// spoil adds a toxic, which is written as in toxiproxy's API.
func (p proxy) spoil(toxic string) error {
	_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

// mend removes all toxics.
func (p proxy) mend() { p.Toxics.ResetToxics(context.Background()) }
