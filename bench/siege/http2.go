package main

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// The frames of HTTP/2 that a client makes wrongly, or in floods: RFC 9113, section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameWindow       = 0x8
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagAck        = 0x1
)

// preface begins a connection of HTTP/2, with the settings of a client.
var preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, nil)

// frame returns a frame.
func frame(kind, flags byte, stream uint32, payload []byte) string {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(append(binary.BigEndian.AppendUint32(b, stream), payload...))
}

// block returns the header of a request for content, with more headers.
func block(model string, more ...hpack.HeaderField) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "localhost"},
		{Name: ":path", Value: "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"}, {Name: "content-type", Value: "application/json"},
	}, more...) {
		_ = e.WriteField(f) // into memory
	}
	return b.Bytes()
}
