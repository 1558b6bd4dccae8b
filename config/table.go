package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
)

// table reads one table of the file. Each method reads one key and reports what is wrong with it.
// ok is false if the key is absent or wrong. Keys that were read are known: end reports all others.
type table struct {
	*reading
	path   fieldPath
	values map[string]any
	known  []string
}

func (t *table) value(key string) (any, bool) {
	t.known = append(t.known, key)
	v, ok := t.values[key]
	return v, ok
}

// mistyped reports a value of the wrong type. It names types only, because the value may be a key.
func (t *table) mistyped(at fieldPath, what string, v any, want, fix string) {
	t.wrong(at, what+" is "+typeName(v)+", not "+want, fix)
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case []any, []map[string]any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "of another type"
}

func (t *table) text(key string) (string, bool) {
	v, ok := t.value(key)
	if !ok {
		return "", false
	}
	return t.asText(t.path.to(key), key, v)
}

// asText reads a string that is not meant to be secret. Anything that looks secret is a mistake,
// because later messages would show it.
func (t *table) asText(at fieldPath, what string, v any) (string, bool) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(at, what, v, "a string", `write text in quotes: "…"`)
		return "", false
	}
	if credential.Looks(s) {
		t.wrong(at, what+" holds what looks like a credential",
			`write keys = ["env:NAME"] for a key; it goes nowhere else`)
		return "", false
	}
	return s, true
}

// texts reads an array of strings. It reports a wrong element and leaves it empty, so that the
// others keep their index.
func (t *table) texts(key string) []string {
	values, ok := t.array(key)
	if !ok {
		return nil
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i], _ = t.asText(t.path.to(key).element(i), element(key, i), v)
	}
	return texts
}

func (t *table) array(key string) ([]any, bool) {
	v, ok := t.value(key)
	if !ok {
		return nil, false
	}
	values, ok := v.([]any)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "an array of strings",
			`write it in brackets: ["…", "…"]`)
	}
	return values, ok
}

// flag reads true or false; false if it is absent.
func (t *table) flag(key string) bool {
	v, ok := t.value(key)
	if !ok {
		return false
	}
	value, ok := v.(bool)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "true or false", "write true or false without quotes")
	}
	return value
}

// integer reads a whole number that fits T.
func integer[T ~int | ~int64](t *table, key string) (T, bool) {
	v, ok := t.value(key)
	if !ok {
		return 0, false
	}
	n, ok := v.(int64)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "a whole number",
			"write digits without quotes, such as 1_000")
		return 0, false
	}
	if int64(T(n)) != n {
		t.wrong(t.path.to(key), key+" is too large a number", "write a smaller one")
		return 0, false
	}
	return T(n), true
}

// count reads a whole number whose zero value in Go means that it is not set.
func count[T ~int | ~int64](t *table, key string, dst *T) {
	if n, ok := integer[T](t, key); ok && t.notZero(key, n == 0) {
		*dst = n
	}
}

// number reads a float or integer whose zero value in Go means that it is not set.
func (t *table) number(key string, dst *float64) {
	v, ok := t.value(key)
	if !ok {
		return
	}
	switch n := v.(type) {
	case float64:
		if t.notZero(key, n == 0) {
			*dst = n
		}
	case int64:
		if t.notZero(key, n == 0) {
			*dst = float64(n)
		}
	default:
		t.mistyped(t.path.to(key), key, v, "a number", "write digits without quotes, such as 0.5")
	}
}

// notZero refuses a written zero, which Go would silently treat as the default.
func (t *table) notZero(key string, zero bool) bool {
	if zero {
		t.wrong(t.path.to(key), key+" is zero, which would mean that it was not set",
			"write a value above 0, or leave it out")
	}
	return !zero
}

// duration reads a duration whose zero value in Go means that it is not set.
func (t *table) duration(key string, dst *time.Duration) {
	if d, ok := t.anyDuration(key); ok && t.notZero(key, d == 0) {
		*dst = d
	}
}

func (t *table) anyDuration(key string) (time.Duration, bool) {
	v, ok := t.value(key)
	if !ok {
		return 0, false
	}
	at := t.path.to(key)
	switch v := v.(type) {
	case string:
		d, err := time.ParseDuration(v)
		// ParseDuration accepts "0" as well; every duration needs a unit.
		if _, bare := strconv.ParseFloat(v, 64); err == nil && bare != nil {
			return d, true
		} else if bare == nil {
			t.wrong(at, key+" has no unit", bareNumber(v))
		} else {
			t.wrong(at, key+" is not a duration",
				`write a number with a unit: "500ms", "10s", "5m", "24h" or "1m30s"`)
		}
	case int64:
		t.wrong(at, key+" is a number without a unit", bareNumber(strconv.FormatInt(v, 10)))
	case float64:
		t.wrong(at, key+" is a number without a unit",
			bareNumber(strconv.FormatFloat(v, 'f', -1, 64)))
	default:
		t.mistyped(at, key, v, "a duration", `write a number with a unit: "10s"`)
	}
	return 0, false
}

// moment reads a date with a time and an offset, or a date, which is its midnight in UTC.
func (t *table) moment(key string, dst *time.Time) {
	const fix = "write a date, or a date and time with its offset, without quotes: 2026-12-01, or 2026-12-01T08:00:00+01:00"
	v, ok := t.value(key)
	if !ok {
		return
	}
	at, ok := v.(time.Time)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "a date", fix)
		return
	}
	switch at.Location().String() { // as the TOML library marks what has no offset
	case "date-local":
		*dst = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	case "datetime-local", "time-local":
		t.wrong(t.path.to(key), key+" has no offset from UTC", fix)
	default:
		*dst = at
	}
}

var plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// bareNumber returns the fix for a duration without a unit. Seconds are a guess, so it suggests
// them for small numbers only.
func bareNumber(n string) string {
	if len(n) > 6 || !plainNumber.MatchString(n) {
		n = "10"
	}
	return `write the unit too, such as "` + n + `s" for seconds`
}

// units are the units of sizes, in bytes.
var units = map[string]int64{"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

var sizeSyntax = regexp.MustCompile(`^([0-9]{1,9}) ?([A-Za-z]+)$`)

// size reads a number of bytes whose zero value in Go means that it is not set.
func (t *table) size(key string, dst *int64) {
	v, ok := t.value(key)
	if !ok {
		return
	}
	const fix = `write a whole number and kB, MB or GB, such as "64MB"`
	text, ok := v.(string)
	if !ok {
		t.mistyped(t.path.to(key), key, v, "a size", fix)
		return
	}
	parts := sizeSyntax.FindStringSubmatch(text)
	if parts == nil || units[parts[2]] == 0 {
		t.wrong(t.path.to(key), key+" is not a size", fix)
		return
	}
	n, _ := strconv.ParseInt(parts[1], 10, 64) // the syntax allows only digits, and few enough
	if t.notZero(key, n == 0) {
		*dst = n * units[parts[2]]
	}
}

// table reads a table that may occur once.
func (t *table) table(key string) (*table, bool) {
	v, ok := t.value(key)
	if !ok {
		return nil, false
	}
	values, ok := v.(map[string]any)
	if !ok {
		t.mistyped(t.path.to(key), t.header(key), v, "a table",
			"write ["+t.header(key)+"] once and its keys below it")
		return nil, false
	}
	return &table{reading: t.reading, path: t.path.to(key), values: values}, true
}

// tables reads an array of tables. An element that is not a table is reported and nil.
func (t *table) tables(key string) []*table {
	v, ok := t.value(key)
	if !ok {
		return nil
	}
	at, fix := t.path.to(key), "write [["+t.header(key)+"]] and its keys below it"
	var all []*table
	switch v := v.(type) {
	case []map[string]any:
		for i, values := range v {
			all = append(all, &table{reading: t.reading, path: at.element(i), values: values})
		}
	case []any:
		for i, one := range v {
			values, ok := one.(map[string]any)
			if !ok {
				t.mistyped(at.element(i), element(t.header(key), i), one, "a table", fix)
				all = append(all, nil)
				continue
			}
			all = append(all, &table{reading: t.reading, path: at.element(i), values: values})
		}
	default:
		t.mistyped(at, t.header(key), v, "an array of tables", fix)
	}
	return all
}

// header returns key's table as a header in the file names it: without the indexes of elements.
func (t *table) header(key string) string {
	var b strings.Builder
	for _, step := range t.path.to(key) {
		if strings.HasPrefix(step, "[") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}

// end reports the keys that were not read. It shows a key only as the word that it probably
// misspells: an unknown name may be a credential that lost its key.
func (t *table) end() {
	for name := range t.values {
		if slices.Contains(t.known, name) {
			continue
		}
		at := t.path.to(name)
		if word, ok := nearest(name, t.known); ok {
			if _, written := t.values[word]; !written {
				// The missing key follows from the misspelling and is not reported again.
				t.spoil(t.path.to(word))
			}
			t.wrong(at, "unknown key", "did you mean "+word+"?")
		} else if home, ok := elsewhere[name]; ok {
			t.wrong(at, "unknown key: "+name+" does not belong here", "write "+home)
		} else {
			t.wrong(at, "unknown key", "the keys here are "+listing(t.known))
		}
	}
}

func element(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
