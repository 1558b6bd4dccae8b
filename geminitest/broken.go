package geminitest

import (
	"net/http"
	"time"
)

// The answers of this file are not Google's: they are what stands between, a proxy, a portal, a
// load balancer, or a connection that breaks.

// Page is a page of HTML in place of an answer, with any status. With 403 or 429 it is the one of
// Google's front end for networks that send too much, "Sorry…"; with 200 a portal's.
func Page(status int) Answer {
	title, text := http.StatusText(status), "The server could not process the request."
	switch status {
	case http.StatusForbidden, http.StatusTooManyRequests:
		title = "Sorry..."
		text = "We're sorry... but your computer or network may be sending automated queries. " +
			"To protect our users, we can't process your request right now."
	case http.StatusOK:
		title, text = "Sign in", "Sign in to use this network."
	}
	return Answer{
		Status: status, Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}},
		Body: []byte("<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><h1>" + title + "</h1>\n<p>" + text + "</p></body></html>\n"),
	}
}

// Blank is a status and nothing more: an empty 200, a 204, a 407.
func Blank(status int) Answer { return Answer{Status: status} }

// Statusless is an answer with the status 000, which HTTP does not have and Go's client takes.
func Statusless() Answer { return Answer{Status: -1} }

// statusless sends a status of 000.
func (p *reply) statusless() {
	if !p.wait(p.answer.Delay) {
		return
	}
	p.sent = true
	p.note(0)
	if _, inMemory := p.w.(aborter); inMemory {
		p.w.WriteHeader(p.answer.Status)
		return
	}
	conn, _, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		p.abort(err)
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 000 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	_ = conn.Close()
}

// Healthy is a 200 from something that is up, and is not Google: {"status":"ok"}.
func Healthy() Answer { return Answer{Status: http.StatusOK, Body: []byte(`{"status":"ok"}` + "\n")} }

// Redirect sends the caller somewhere else.
func Redirect(status int, location string) Answer {
	a := Page(status)
	a.Header.Set("Location", location)
	return a
}

// Stall is a request that goes in and gets nothing out, for ever. With [Answer.AfterHeader],
// [Answer.AfterBytes] or [Answer.AfterEvents] the beginning of the answer comes.
func Stall() Answer { return Answer{Hang: true} }

// Pings is a stall that looks alive: after the header a comment line (": ping") every so often, for
// ever. Calls that do not stream get blanks. With [Answer.AfterEvents] it begins there.
func Pings(every time.Duration) Answer { return Answer{Hang: true, Ping: every}.AfterHeader() }

// AfterHeader lets a stall or a reset come after the header, before the first byte of the body.
func (a Answer) AfterHeader() Answer { return a.AfterBytes(0) }

// AfterBytes lets a stall or a reset come after n bytes of the body.
func (a Answer) AfterBytes(n int) Answer {
	a.Event, a.Truncate = false, n
	if n <= 0 {
		a.Truncate = -1
	}
	return a
}

// bodiless reports whether HTTP allows no body with a status.
func bodiless(status int) bool {
	return status >= 100 && status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}
