package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// roles are what other processes of this program are.
var roles = map[string]func(args []string){"google": google, "clients": clients}

// Models of the siege, beside that of the other clients, which is served by an emulator of its own.
const (
	othersModel = "gemini-3.5-flash"
	plainModel  = "gemini-3.6-flash"
	largeModel  = "gemini-3.7-flash" // streams of many megabytes
	slowModel   = "gemini-3.8-flash" // takes its time
	liveModel   = "gemini-3.1-flash-live-preview"
)

// largeAnswer is the length of a stream of largeModel.
const largeAnswer = 32 << 20

// google is an emulator, until it is told to end.
func google(args []string) {
	flags := flag.NewFlagSet("google", flag.ExitOnError)
	slow := flags.Duration("slow", time.Second, "")
	_ = flags.Parse(args)
	server, err := geminitest.Start(geminitest.Config{Projects: []geminitest.Project{{ID: "others", Keys: []string{"others-key"}},
		{ID: "siege", Keys: []string{"siege-key"}}}, Log: -1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer server.Close()
	event := []byte(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"` + string(bytes.Repeat([]byte("word "), 800)) + `"}]}}]}` + "\r\n\r\n")
	server.Keep(geminitest.Match{Model: largeModel}, geminitest.Answer{
		Status: 200, Header: map[string][]string{"Content-Type": {"text/event-stream"}}, Body: bytes.Repeat(event, largeAnswer/len(event)),
	})
	server.Keep(geminitest.Match{Model: slowModel}, geminitest.Answer{Delay: *slow})
	server.Refuse("dead-key", geminitest.KeySuspended("dead-key"))
	fmt.Println(server.URL)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}

// clients are those of a siege. They print what they met.
func clients(args []string) {
	flags := flag.NewFlagSet("clients", flag.ExitOnError)
	name, t := flags.String("row", "", ""), target{}
	flags.StringVar(&t.address, "at", "", "")
	flags.BoolVar(&t.quick, "quick", false, "")
	_ = flags.Parse(args)
	for _, w := range allRows(t.quick) {
		if w.name != *name {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), w.lasts)
		defer cancel()
		met := newReport()
		w.siege(ctx, &t, met)
		_ = json.NewEncoder(os.Stdout).Encode(met)
	}
}
