package main

import (
	"net"
	"net/http"
	"path/filepath"
)

// road is how clients, sidecar and Google speak to each other: in plain text or over TLS.
type road struct {
	name string
	dir  string // of the files of writeCertificates; "": no TLS
}

// url returns an address on the road as clients write it.
func (r road) url(a net.Addr) string {
	if r.dir == "" {
		return "http://" + a.String()
	}
	return "https://" + a.String()
}

// serve serves until the server is closed.
func (r road) serve(s *http.Server, l net.Listener) error {
	if r.dir == "" {
		return s.Serve(l)
	}
	return s.ServeTLS(l, filepath.Join(r.dir, certificateFile), filepath.Join(r.dir, keyFile))
}

// trust returns the variables by which programs trust the road's authority: those of Go and OpenSSL,
// curl, Node.js and Java.
func (r road) trust() []string {
	if r.dir == "" {
		return nil
	}
	authority := filepath.Join(r.dir, authorityFile)
	return []string{
		"SSL_CERT_FILE=" + authority, "CURL_CA_BUNDLE=" + authority, "NODE_EXTRA_CA_CERTS=" + authority,
		"JDK_JAVA_OPTIONS=-Djavax.net.ssl.trustStore=" + filepath.Join(r.dir, storeFile) + " -Djavax.net.ssl.trustStorePassword=" + storePassword,
	}
}
