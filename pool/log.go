package pool

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
)

// maxLogged bounds a value in a log: a name of a caller's may have a thousand bytes.
const maxLogged = 320

// Log returns an observer of events, for [New], that writes each one to l as a line. Cooldowns that
// an operator has to end are warnings, and those that may come several times a second are at debug
// level. A line about a refusal has its cause, what to do (remedy) and Google's page for that. A
// cooldown that is extended is not logged. No line shows a key, nor control characters
// that Google or a caller sent, and long values are cut.
func Log(l *slog.Logger) func(Event) {
	return func(e Event) {
		if e.Kind == CooldownExtended {
			return // it says nothing new
		}
		message, level := e.line()
		l.LogAttrs(context.Background(), level, "spillway: "+message, e.attrs()...)
	}
}

// line returns the event's message, and how loud it is.
func (e *Event) line() (message string, level slog.Level) {
	switch e.Kind {
	case CooldownStarted:
		return "cooldown started", e.Class.level()
	case CooldownEnded:
		return "cooldown ended", min(e.Class.level(), slog.LevelInfo)
	case BreakerOpened:
		return "circuit breaker open", slog.LevelWarn
	case BreakerClosed:
		return "circuit breaker closed", slog.LevelInfo
	case LimitLearned:
		return "limit learned from Google's response", slog.LevelInfo
	case LimitForgotten:
		return "learned limit forgotten", slog.LevelInfo
	case LimitDisputed, ProjectDiscovered, DiscoveryIncomplete:
		return e.ofDiscovery()
	case UsageHigh:
		if e.Subject.Kind == kindOrder {
			return "provisioned order nearly used", slog.LevelWarn
		}
		return "limit nearly used", slog.LevelWarn
	case OrderBegan, OrderEnded, OrderUnused, OrderUnconfirmed, OrderBelowPurchase:
		return e.ofOrder()
	case CallsRefused:
		return "calls refused: no endpoint can serve them in time", slog.LevelWarn
	case ModelRerouted:
		return "another model answers than the one that was asked for; its price and its quotas apply", slog.LevelWarn
	case MemoryFull:
		return "the memory is full, so calls for new models are refused; " +
			"raise memory under [router] if they are meant", slog.LevelWarn
	case StoreLost:
		return "the store that replicas share does not answer; this one keeps to its part of the limits " +
			"until it does, and no call fails for it", slog.LevelWarn
	case StoreBack:
		return "the store that replicas share answers again; the limits are shared", slog.LevelInfo
	case Reloaded:
		return "configuration reloaded", slog.LevelInfo
	default:
		return string(e.Kind), slog.LevelInfo
	}
}

// ofDiscovery is the message of an event about what a project has, and how loud it is.
func (e *Event) ofDiscovery() (message string, level slog.Level) {
	switch e.Kind {
	case LimitDisputed:
		return "Google's response names another limit than Google shows for the project; the named one holds", slog.LevelWarn
	case ProjectDiscovered:
		return "what the project has was read from Google", slog.LevelInfo
	default:
		return "something that the project has was not read, or is not used", slog.LevelWarn
	}
}

// ofOrder is line for an event about an order.
func (e *Event) ofOrder() (message string, level slog.Level) {
	switch e.Kind {
	case OrderBegan:
		return "a provisioned order has begun", slog.LevelInfo
	case OrderEnded:
		return "a provisioned order has ended", slog.LevelWarn
	case OrderUnused:
		return "a call for a provisioned order was served on demand", slog.LevelWarn
	case OrderUnconfirmed:
		return "a provisioned order has not served a single call yet", slog.LevelWarn
	default:
		return "a provisioned order failed calls within its purchase", slog.LevelWarn
	}
}

// level is how loud a cooldown of the class is.
func (c Class) level() slog.Level {
	switch r := c.rule(); {
	case r.Ending == cooldown.Probed:
		return slog.LevelWarn
	case r.Min < time.Second && r.Ending == cooldown.Timed:
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

func (e *Event) attrs() []slog.Attr {
	var attrs []slog.Attr
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, plain.Text(value, maxLogged)))
		}
	}
	if e.Subject != (Subject{}) {
		text("subject", e.Subject.String())
	}
	text("class", string(e.Class))
	text("cause", e.Cause)
	switch {
	case e.Kind == CooldownEnded:
		attrs = append(attrs, slog.Duration("after", e.At.Sub(e.Since)))
	case e.Kind == CallsRefused:
		return append(attrs, e.refused()...)
	case !e.Until.IsZero():
		attrs = append(attrs, slog.Time("until", e.Until))
	case e.Kind == OrderUnused, e.Kind == OrderUnconfirmed, e.Class != "":
		text("until", remedy.Cause(cmp.Or(e.Cause, string(e.Class))).Ends())
	}
	text("quota", e.Quota)
	number := func(name string, value int64) {
		if value > 0 {
			attrs = append(attrs, slog.Int64(name, value))
		}
	}
	number("rpm", e.Limits.RPM)
	number("tpm", e.Limits.TPM)
	number("rpd", e.Limits.RPD)
	number("discovered_rpm", e.Discovered.RPM)
	number("discovered_tpm", e.Discovered.TPM)
	number("discovered_rpd", e.Discovered.RPD)
	if e.Kind == StoreLost || e.Kind == StoreBack {
		attrs = append(attrs, slog.Time("since", e.Since))
	}
	if e.Share > 0 {
		attrs = append(attrs, slog.Float64("share", e.Share))
	}
	number("calls", e.Calls)
	number("of", e.Of)
	text("traffic", e.Traffic)
	text("served", e.Served)
	if e.Kind != CooldownEnded {
		text("remedy", e.Remedy)
		text("page", e.Page)
	}
	text("message", e.Message)
	return attrs
}

// refused says how many calls were refused, why, and when to come back.
func (e *Event) refused() []slog.Attr {
	attrs := []slog.Attr{
		slog.Int64("refused", e.Calls), slog.Int64("of", e.Of), slog.String("why", plain.Text(e.Message, maxLogged)),
	}
	if e.Until.IsZero() {
		attrs = append(attrs, slog.String("retry_at", "not known"))
	} else {
		attrs = append(attrs, slog.Time("retry_at", e.Until))
	}
	for _, a := range [...]struct{ name, value string }{{"by", e.By}, {"remedy", e.Remedy}, {"page", e.Page}} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, plain.Text(a.value, maxLogged)))
		}
	}
	return attrs
}
