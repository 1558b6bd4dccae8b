package config

import "crypto/tls"

// Certificate is a certificate with its private key. It prints as nothing of either.
type Certificate struct{ pair *tls.Certificate }

// TLS returns the certificate as a server presents it; nil if there is none.
func (c Certificate) TLS() *tls.Certificate { return c.pair }

// certificate reads a certificate and its key from two files.
func (t *table) certificate(certKey, keyKey string) (c Certificate) {
	cert, hasCert := t.text(certKey)
	key, hasKey := t.text(keyKey)
	switch {
	case !hasCert && !hasKey:
		return c
	case !hasKey:
		t.wrong(t.path.to(certKey), certKey+" has no key", `write `+keyKey+` = "tls.key" too`)
		return c
	case !hasCert:
		t.wrong(t.path.to(keyKey), keyKey+" has no certificate", `write `+certKey+` = "tls.crt" too`)
		return c
	}
	public, err := t.sources.file(cert) // which anyone may read
	if err != nil {
		t.wrong(t.path.to(certKey), certKey+": the file "+shownPath(cert)+" "+unreadable(err),
			"name a readable PEM file, absolute or relative to this one's folder")
		return c
	}
	private, ok := t.fileContent(t.path.to(keyKey), keyKey, key)
	if !ok {
		return c
	}
	pair, err := tls.X509KeyPair(public, private)
	if err != nil { // which may quote the files
		t.wrong(t.path.to(certKey), "tls_cert and tls_key are not a certificate in PEM and its key",
			"name the files of one certificate, with the chain behind it in tls_cert")
		return c
	}
	return Certificate{&pair}
}
