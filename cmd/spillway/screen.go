package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/spillway-go/spillway/internal/plain"
)

// view is how a text is shown. The zero view is that of a file: lines of any length, no colours.
type view struct {
	width, height int // of the terminal; zero: no bound
	colour        bool
	drawn         bool // again and again, in the place of what was there: no line may be longer than the width
}

// terminal is what a command prints to if that is one. Only through it do control characters get
// out.
type terminal struct {
	out  *output
	file *os.File
}

// terminalOf returns the terminal that w is. One that says of itself that it is dumb is none.
func terminalOf(w io.Writer) (terminal, bool) {
	out, ok := w.(*output)
	if !ok {
		return terminal{}, false
	}
	file, ok := out.w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return terminal{}, false
	}
	return terminal{out, file}, true
}

// view returns how the terminal shows texts now: its user may change its size. See
// https://no-color.org.
func (t terminal) view() view {
	width, height, err := term.GetSize(int(t.file.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	return view{width: width, height: height, colour: os.Getenv("NO_COLOR") == ""}
}

// Write writes a text with its control characters. The caller has made them.
func (t terminal) Write(text []byte) (int, error) {
	n, err := t.out.w.Write(text)
	if err != nil && t.out.err == nil {
		t.out.err = err
	}
	return n, err
}

// shown returns where a text goes that was laid out for w: to a terminal with its colours.
func shown(w io.Writer) io.Writer {
	if t, ok := terminalOf(w); ok {
		return t
	}
	return w
}

// The terminal's commands, of ECMA-48.
const (
	clearScreen  = "\x1b[2J"
	cursorHome   = "\x1b[H"
	clearLine    = "\x1b[K" // from the cursor on
	clearBelow   = "\x1b[J"
	bold         = "\x1b[1m"
	faint        = "\x1b[2m"
	green        = "\x1b[32m"
	yellow       = "\x1b[33m"
	colourNormal = "\x1b[0m"
)

// frame returns what draws a text in the place of the one before: without blinking, and cut to the
// height of the screen.
func (v view) frame(text string, first bool) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if room := v.height - 1; room > 0 && len(lines) > room {
		hidden := len(lines) - room + 1
		lines = append(lines[:room-1], plain.Plural(hidden, "more line")+"; --model shows those of one model")
	}
	var b strings.Builder
	if first {
		b.WriteString(clearScreen)
	}
	b.WriteString(cursorHome)
	for _, line := range lines {
		b.WriteString(line + clearLine + "\n")
	}
	b.WriteString(clearBelow)
	return b.String()
}

// linef prints a line that stands beside no other.
func (v view) linef(out io.Writer, format string, values ...any) {
	for _, line := range v.wrap(fmt.Sprintf(format, values...), 0) {
		writef(out, "%s\n", line)
	}
}

// minColumn is the least width of a last column in which a text is wrapped beside the others. Where
// there is less, what does not fit stands below them.
const minColumn = 50

// table lays out rows, one a line, whose cells are separated by tabs. The last column is wrapped at
// the width of the view. tone gives the colour of a last cell; nil, or "", is none.
func (v view) table(text string, tone func(cell string) string) string {
	var rows [][]string
	var widths []int
	for line := range strings.Lines(plain.Lines(text)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, c := range cells[:len(cells)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c)+2)
		}
		rows = append(rows, cells)
	}
	var b strings.Builder
	for i, cells := range rows {
		last := len(cells) - 1
		var head strings.Builder
		for j, c := range cells[:last] {
			head.WriteString(c + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(c)))
		}
		paint := ""
		switch {
		case v.colour && i == 0:
			paint = bold
		case v.colour && tone != nil:
			paint = tone(cells[last])
		}
		v.row(&b, head.String(), cells[last], paint)
	}
	return b.String()
}

// row writes one row: what stands before the last column, and that.
func (v view) row(b *strings.Builder, head, last, paint string) {
	if v.width == 0 && strings.HasPrefix(last, " ") && strings.TrimSpace(head) == "" {
		head = "    " // a file has no column that keeps it apart
	}
	start := utf8.RuneCountInString(head)
	if room := v.width - start; v.width > 0 && room < minColumn &&
		(utf8.RuneCountInString(last) > room || strings.HasPrefix(last, " ")) { // those below one stand together
		if strings.TrimSpace(head) != "" {
			b.WriteString(cut(strings.TrimRight(head, " "), v.width) + "\n")
		}
		head, start = "    ", 4
		if last == "" {
			return
		}
	}
	for _, line := range v.wrap(last, start) {
		if paint != "" && line != "" {
			line = paint + line + colourNormal
		}
		b.WriteString(strings.TrimRight(head+line, " ") + "\n")
		head = strings.Repeat(" ", start)
	}
}

// wrap breaks a text at spaces into lines that fit beside what takes up start columns. What it
// begins with is kept in front of each line. An address stays whole, so that it can be copied, unless
// the text is drawn.
func (v view) wrap(text string, start int) (lines []string) {
	room := v.width - start
	words := strings.TrimLeft(text, " ")
	indent := text[:len(text)-len(words)]
	if room -= len(indent); v.width <= 0 || utf8.RuneCountInString(words) <= room {
		return []string{text}
	}
	room = max(room, 1)
	for words != "" {
		at := prefix(words, room)
		if at < len(words) {
			if space := strings.LastIndexByte(words[:at+1], ' '); space > 0 {
				at = space
			} else if !v.drawn && strings.HasPrefix(words, "http") {
				at = len(words)
				if space := strings.IndexByte(words, ' '); space > 0 {
					at = space
				}
			}
		}
		lines = append(lines, indent+strings.TrimRight(words[:at], " "))
		words = strings.TrimLeft(words[at:], " ")
	}
	return lines
}

// prefix returns how many bytes the first n characters of a text have. It looks at no more.
func prefix(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// cut bounds a line.
func cut(line string, width int) string {
	if width < 1 || prefix(line, width) == len(line) {
		return line
	}
	return line[:prefix(line, width-1)] + "…"
}
