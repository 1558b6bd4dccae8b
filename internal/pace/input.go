package pace

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
)

// maxLine bounds a line, in bytes: Google takes no larger request.
const maxLine = 100 << 20

// byteOrderMark begins files of UTF-8 that some programs of Windows write.
const byteOrderMark = "\xef\xbb\xbf"

// identity tells a file of requests from others, and from itself once it was edited: then its lines
// have other numbers.
type identity struct {
	Bytes int64  `json:"bytes"` // that were looked at
	Hash  string `json:"sha256"`
}

// identify reads a file, and goes back to its beginning. most bounds how much of it counts: a file that
// has grown is the same.
func identify(in io.ReadSeeker, most int64) (id identity, err error) {
	h := sha256.New()
	if id.Bytes, err = io.Copy(h, io.LimitReader(in, most)); err != nil {
		return id, err
	}
	id.Hash = hex.EncodeToString(h.Sum(nil))
	_, err = in.Seek(0, io.SeekStart)
	return id, err
}

// numbered is a line of the file. tooLong says that its text is cut off.
type numbered struct {
	line    int64
	text    []byte
	tooLong bool
}

// lines gives the lines of a file that hold something to each, until that reports false.
func lines(ctx context.Context, in io.Reader, each func(numbered) bool) error {
	r := bufio.NewReaderSize(in, 1<<16)
	for n := int64(1); ctx.Err() == nil; n++ {
		text, tooLong, err := readLine(r)
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte(byteOrderMark))
		}
		if text = bytes.TrimSpace(text); len(text) > 0 && !each(numbered{n, text, tooLong}) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// readLine reads a line, whose end it drops if the line is longer than any request.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
