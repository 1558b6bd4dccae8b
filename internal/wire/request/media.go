package request

import (
	"bytes"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Tokens of media. ai.google.dev/gemini-api/docs/tokens documents tokens per second and per page;
// the bytes per second and per page are guesses.
const (
	tokensPerImage = 258
	tokensPerPage  = 258
	tokensPerAudio = 32  // a second
	tokensPerVideo = 295 // a second: one frame and its sound

	bytesPerPage  = 50_000
	bytesPerRaw   = 32_000 // a second of 16 kHz, 16 bit speech
	bytesPerAudio = 8_000  // a second of compressed speech, 64 kbit/s
	bytesPerVideo = 250_000
)

// price counts the media of the object that begins or ends here.
func (s *bodyScan) price() {
	switch {
	case s.blob != nil && s.mime == nil:
		s.countText(s.blob) // a "data" that is not media
	case s.blob != nil:
		s.media(int64(len(s.blob)) / 4 * 3)
	case s.file == fileVideo, s.file == filePart, s.file == fileNamed && s.mime != nil:
		s.reference()
	}
	s.blob, s.mime, s.file = nil, nil, fileNone
}

// media counts media bytes in the request.
func (s *bodyScan) media(size int64) {
	p := &s.call.Estimate.Prompt
	switch kind, sub, _ := bytes.Cut(s.mime, []byte("/")); {
	case bytes.EqualFold(kind, []byte("image")):
		p.Image += tokensPerImage
	case bytes.EqualFold(kind, []byte("audio")):
		p.Audio += tokensPerAudio * (1 + size/bytesPerSecond(sub))
	case bytes.EqualFold(kind, []byte("video")):
		p.Video += tokensPerVideo * (1 + size/bytesPerVideo)
	case bytes.EqualFold(s.mime, []byte("application/pdf")):
		p.Document += tokensPerPage * (1 + size/bytesPerPage)
	default:
		s.text += size
	}
}

// bytesPerSecond returns the size of a second of an audio format.
func bytesPerSecond(sub []byte) int64 {
	if len(sub) >= 3 && (bytes.EqualFold(sub[len(sub)-3:], []byte("wav")) || bytes.EqualFold(sub[:3], []byte("l16")) ||
		bytes.EqualFold(sub[:3], []byte("pcm"))) {
		return bytesPerRaw
	}
	return bytesPerAudio
}

// reference counts a file that the request only names.
func (s *bodyScan) reference() {
	p := &s.call.Estimate.Prompt
	switch kind, _, _ := bytes.Cut(s.mime, []byte("/")); {
	case s.file == fileVideo, bytes.EqualFold(kind, []byte("video")):
		p.VideoFiles++
	case bytes.EqualFold(kind, []byte("image")):
		p.Image += tokensPerImage
	case bytes.EqualFold(kind, []byte("audio")):
		p.AudioFiles++
	default:
		p.DocumentFiles++
	}
}

// isYouTube reports whether an address is a video on YouTube, which the model can watch.
func isYouTube(uri string) bool {
	_, address, _ := strings.Cut(uri, "://")
	host := strings.TrimPrefix(segment(address, 0), "www.")
	return host == "youtube.com" || host == "m.youtube.com" || host == "youtu.be"
}

// attached takes what a message of OpenAI's dialect has besides text. It reports whether the value is
// such a thing.
func (s *bodyScan) attached(value []byte) bool {
	switch string(s.Key) {
	case "format": // of an input_audio
		s.mime = append([]byte("audio/"), bytes.TrimPrefix(value, []byte("audio/"))...)
		return true
	case "file_id":
		s.uri(jsonscan.Unquote(value))
		return true
	case "url", "image_url", "file_data":
	default:
		return false
	}
	data, inside := bytes.CutPrefix(value, []byte("data:"))
	if !inside {
		s.mime = []byte("image/")
		s.uri(jsonscan.Unquote(value))
		return true
	}
	head, encoded, _ := bytes.Cut(data, []byte(","))
	s.mime, _, _ = bytes.Cut(head, []byte(";"))
	s.media(int64(len(encoded)) / 4 * 3)
	s.mime = nil
	return true
}
