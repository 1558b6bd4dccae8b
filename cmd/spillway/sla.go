package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// claimsPage is where Google says what an order is guaranteed, and how to claim what is not kept.
const claimsPage = "https://cloud.google.com/vertex-ai/generative-ai/sla"

const slaHelp = `Usage: spillway sla [URL] [--csv | --json]

SLA shows what the Provisioned Throughput orders of a running "spillway serve" have
answered with HTTP status 5XX. Below the purchase Google answers so where it has no
room, and these answers count towards its service level agreement:
` + claimsPage + `
Others are counted apart. The sidecar remembers the last 1,000 of each order since it
started: save them as CSV before it stops. The default URL is http://127.0.0.1:8080.
URL/spillway/sla has the CSV, and URL/spillway/sla?format=json the same as JSON.

Flags:

  --csv   prints each answer: order, time, HTTP status, model, latency in
          milliseconds, the share of the order that was used with the call, whether
          that is below the purchase, whether the error came inside a response that
          had begun with 200, and the ids that Google sent.
  --json  prints them as JSON.

Exit status: 1 if no sidecar responds.
`

// faultSnapshot is one answer of an order with 5XX, in /spillway/sla?format=json.
type faultSnapshot struct {
	Order         string    `json:"order"`
	Time          time.Time `json:"time"`
	Status        int       `json:"status"`
	Model         string    `json:"model"`
	LatencyMS     int64     `json:"latency_ms"`
	Use           float64   `json:"use"` // of the order, when the call was sent and with it
	BelowPurchase bool      `json:"below_purchase"`
	Inside        bool      `json:"inside_response,omitempty"` // one that had begun with 200
	IDs           []string  `json:"ids,omitempty"`
}

// faultsOf returns the faults of all orders, by order, the earliest first.
func faultsOf(all map[string][]quota.Fault) []faultSnapshot {
	list := []faultSnapshot{}
	for _, order := range slices.Sorted(maps.Keys(all)) {
		for _, f := range all[order] {
			list = append(list, faultSnapshot{
				visible(order, ""), f.At.UTC(), f.Status, visible(f.Model, ""), f.Latency.Milliseconds(),
				f.Use, f.BelowPurchase(), f.Inside, visibles(f.IDs),
			})
		}
	}
	return list
}

// csvOf returns faults as CSV with a header.
func csvOf(list []faultSnapshot) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{ // a buffer takes everything
		"order", "time", "status", "model", "latency_ms", "use", "below_purchase", "inside_response", "ids",
	})
	for _, f := range list {
		_ = w.Write([]string{
			f.Order, f.Time.Format("2006-01-02T15:04:05.000Z07:00"), strconv.Itoa(f.Status), f.Model, strconv.FormatInt(f.LatencyMS, 10),
			strconv.FormatFloat(f.Use, 'f', 4, 64), strconv.FormatBool(f.BelowPurchase), strconv.FormatBool(f.Inside), strings.Join(f.IDs, " "),
		})
	}
	w.Flush()
	return b.Bytes()
}

// failures says in words what an order failed to serve.
func (o *orderSnapshot) failures() (notes []string) {
	if o.FailedBelow > 0 {
		notes = append(notes, plain.Number(o.FailedBelow)+" failed with 5XX within the purchase, the last at "+plain.Instant(o.FailedLast)+
			": see spillway sla")
	}
	if o.FailedAbove > 0 {
		notes = append(notes, plain.Number(o.FailedAbove)+" failed with 5XX beyond it")
	}
	return notes
}

// sla serves GET /spillway/sla.
func (s *sidecar) sla(w *client, req *http.Request) {
	list := faultsOf(s.router.OrderFaults())
	switch format := req.URL.Query().Get("format"); format {
	case "json":
		writeJSON(w, http.StatusOK, list)
	case "", "csv":
		w.Header().Set("Content-Type", "text/csv; charset=UTF-8; header=present")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(csvOf(list)) // on an error the client has disconnected
	default:
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "format is "+strconv.Quote(plain.Text(format, maxShown))+"; write csv or json")
	}
}

// sla runs the command "sla".
func sla(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sla", flag.ContinueOnError)
	asCSV, asJSON := flags.Bool("csv", false, ""), flags.Bool("json", false, "")
	rest, code, ok := parse(flags, args, slaHelp, stdout, stderr)
	at, single := remoteOf(rest)
	switch {
	case !ok:
		return code
	case !single:
		return misused("sla", stderr, "it takes one URL")
	case *asCSV && *asJSON:
		return misused("sla", stderr, "it takes --csv or --json, not both")
	}
	var list []faultSnapshot
	text, err := at.ask(ctx, http.MethodGet, slaPath+"?format=json", nil, &list)
	switch {
	case err != nil:
		writef(stderr, "spillway sla: %s\n", err)
		return statusFailed
	case *asJSON:
		writef(stdout, "%s\n", strings.TrimSpace(string(text)))
	case *asCSV:
		writef(stdout, "%s", csvOf(list))
	default:
		printFaults(stdout, list)
	}
	return statusOK
}

// printFaults prints a row for each order that has failed.
func printFaults(out io.Writer, list []faultSnapshot) {
	if len(list) == 0 {
		writef(out, "No order has answered with 5XX.\n")
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "ORDER\t5XX BELOW THE PURCHASE\tLAST\tABOVE IT\tSINCE\n")
	below := 0
	for len(list) > 0 {
		order := list[0].Order
		n := slices.IndexFunc(list, func(f faultSnapshot) bool { return f.Order != order })
		if n < 0 {
			n = len(list)
		}
		its, last, above := 0, "-", 0
		for _, f := range list[:n] {
			if f.BelowPurchase {
				its, last = its+1, plain.Instant(f.Time)
			} else {
				above++
			}
		}
		writef(table, "%s\t%s\t%s\t%s\t%s\n", order, plain.Number(int64(its)), last, plain.Number(int64(above)), plain.Instant(list[0].Time))
		below += its
		list = list[n:]
	}
	_ = table.Flush()
	if below > 0 {
		writef(out, "\nto do: keep the answers (spillway sla --csv > sla.csv), and claim those below the purchase:\n  %s\n", claimsPage)
	}
}
