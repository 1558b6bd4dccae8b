package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// What writeCertificates writes.
const (
	authorityFile   = "ca.pem"
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
	storeFile       = "ca.p12" // the authority for Java, which reads no PEM

	storePassword = "changeit" // the file is not secret; Java wants a password
)

// writeCertificates writes a certificate of 127.0.0.1 with its key, and the authority that signed it.
func writeCertificates(ctx context.Context, dir string) error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Spillway's example"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	if authority, err = x509.ParseCertificate(signed); err != nil {
		return err
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "loopback"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		authorityFile:   {Type: "CERTIFICATE", Bytes: signed},
		certificateFile: {Type: "CERTIFICATE", Bytes: certificate},
		keyFile:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return writeStore(ctx, dir)
}

// writeStore writes the authority for Java, if Java is there.
func writeStore(ctx context.Context, dir string) error {
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		return nil //nolint:nilerr // the client in Java is skipped then
	}
	//nolint:gosec // a command of this machine's
	said, err := exec.CommandContext(ctx, keytool, "-importcert", "-noprompt", "-alias", "example", "-file", filepath.Join(dir, authorityFile),
		"-keystore", filepath.Join(dir, storeFile), "-storetype", "PKCS12", "-storepass", storePassword).CombinedOutput()
	if err != nil {
		return fmt.Errorf("keytool: %w\n%s", err, said)
	}
	return nil
}
