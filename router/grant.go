package router

import "regexp"

// grantSyntax finds what programs send to get an access token, and tokens themselves, by their
// form: a token server may echo them, and nobody here knows their values. They are Google's access
// tokens and API keys, OAuth refresh tokens and client secrets, JSON web tokens and private keys.
// Sources: https://developers.google.com/identity/protocols/oauth2, RFC 7519.
var grantSyntax = regexp.MustCompile(
	`ya29\.[0-9A-Za-z_.~+/=-]{8,}|AIza[0-9A-Za-z_-]{16,}|AQ\.[0-9A-Za-z_-]{16,}` +
		`|1(?://|%2[Ff]%2[Ff]|\\/\\/)[0-9A-Za-z_-]{16,}|GOCSPX-[0-9A-Za-z_-]{8,}` +
		`|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*)?` +
		`|-----BEGIN [A-Z ]*PRIVATE KEY-----[^"']*`)
