package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// plot is a picture of curves over one axis.
type plot struct {
	title        string
	across, upon string // what the axes show
	ticks        []tick
	curves       []curve
}

// tick is a number below the axis, at a place between 0 and 1.
type tick struct {
	at   float64
	text string
}

// curve is one line of a plot: values in the middle of equal parts of the axis.
type curve struct {
	name, colour string
	width        float64
	dashed       bool
	filled       bool
	marked       bool // the values are told apart, with a dot for each
	leaves       bool // the picture, where it is higher than the others
	values       []float64
}

// The colours of curves: what matters, what it is compared with, and what is bad.
const (
	blue, red, grey, black = "#1a73e8", "#d93025", "#9aa0a6", "#202124"
)

// smoothing is over how many seconds a curve is averaged: what counts is seen, and the noise of
// single calls is not.
const smoothing = 3

// newPlot draws the router's run of a trial over time, beside the oracle's: calls a second that were
// offered, that the oracle served, that the router served, and that Google refused the router.
func newPlot(title string, calls []call, got, oracle []result, length time.Duration) *plot {
	seconds := int(length / time.Second)
	per := func(times func(yield func(time.Duration))) []float64 {
		count := make([]float64, seconds)
		times(func(at time.Duration) {
			if i := int(at / time.Second); i < seconds {
				count[i]++
			}
		})
		return smooth(count)
	}
	served := func(results []result) func(func(time.Duration)) {
		return func(yield func(time.Duration)) {
			for _, r := range results {
				if r.served {
					yield(r.sent)
				}
			}
		}
	}
	offered := per(func(yield func(time.Duration)) {
		for _, c := range calls {
			yield(c.at)
		}
	})
	refused := per(func(yield func(time.Duration)) {
		for _, r := range got {
			for _, no := range r.refused {
				yield(no.at)
			}
		}
	})
	return &plot{title, "time (min:s)", "calls per second", minutes(length), []curve{
		{name: "offered", colour: grey, width: 1.2, values: offered},
		{name: "an oracle would serve", colour: black, width: 1.5, dashed: true, values: per(served(oracle))},
		{name: "Spillway serves", colour: blue, width: 2, filled: true, values: per(served(got))},
		// A storm of refusals may leave the picture; what is served may not.
		{name: "refused (429)", colour: red, width: 1.5, leaves: true, values: refused},
	}}
}

// minutes are the ticks of so much time.
func minutes(length time.Duration) (ticks []tick) {
	step := 30 * time.Second
	if length > 6*time.Minute {
		step = time.Minute
	}
	for at := time.Duration(0); at <= length; at += step {
		text := fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
		ticks = append(ticks, tick{at.Seconds() / length.Seconds(), text})
	}
	return ticks
}

// smooth is the mean over the seconds around each.
func smooth(values []float64) []float64 {
	out := make([]float64, len(values))
	for i := range values {
		from, to := max(i-smoothing/2, 0), min(i+smoothing/2+1, len(values))
		for _, v := range values[from:to] {
			out[i] += v / float64(to-from)
		}
	}
	return out
}

// The page, in pixels: the curves lie between the margins.
const (
	pageWidth, pageHeight                           = 960.0, 400.0
	marginLeft, marginRight, marginTop, marginBelow = 56.0, 24.0, 64.0, 44.0
	plotWidth, plotHeight                           = pageWidth - marginLeft - marginRight, pageHeight - marginTop - marginBelow
)

// svg is the plot as a picture, on a ground of its own, so that it can be read on dark pages, too.
func (p *plot) svg() []byte {
	top, step := p.scale()
	x := func(place float64) float64 { return marginLeft + place*plotWidth }
	y := func(v float64) float64 { return marginTop + (1-min(v, top)/top)*plotHeight }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="#3c4043">`+"\n",
		pageWidth, pageHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.title))
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", pageWidth, pageHeight)
	fmt.Fprintf(&b, `<text x="%g" y="22" font-size="15" font-weight="600" fill="#202124">%s</text>`+"\n", marginLeft, html.EscapeString(p.title))

	for v := 0.0; v <= top; v += step {
		fmt.Fprintf(&b, `<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="#e8eaed"/>`, marginLeft, pageWidth-marginRight, y(v), y(v))
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end">%g</text>`+"\n", marginLeft-8, y(v)+4, v)
	}
	for _, t := range p.ticks {
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`+"\n", x(t.at), pageHeight-marginBelow+18, html.EscapeString(t.text))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", marginLeft+plotWidth/2, pageHeight-8, html.EscapeString(p.across))
	fmt.Fprintf(&b, `<text transform="translate(16 %g) rotate(-90)" text-anchor="middle">%s</text>`+"\n", marginTop+plotHeight/2, html.EscapeString(p.upon))

	legend := marginLeft
	for _, c := range p.curves {
		points, n := make([]string, len(c.values)), float64(len(c.values))
		for i, v := range c.values {
			points[i] = fmt.Sprintf("%.1f,%.1f", x((float64(i)+0.5)/n), y(v))
			if c.marked {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x((float64(i)+0.5)/n), y(v), c.colour)
			}
		}
		style := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"`, c.colour, c.width)
		if c.dashed {
			style += ` stroke-dasharray="5 3"`
		}
		if c.filled {
			fmt.Fprintf(&b, `<polygon points="%.1f,%.1f %s %.1f,%.1f" fill="%s" fill-opacity="0.12"/>`+"\n",
				x(0.5/n), y(0), strings.Join(points, " "), x((n-0.5)/n), y(0), c.colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" %s/>`+"\n", strings.Join(points, " "), style)
		fmt.Fprintf(&b, `<line x1="%g" x2="%g" y1="42" y2="42" %s/>`, legend, legend+24, style)
		fmt.Fprintf(&b, `<text x="%g" y="46">%s</text>`+"\n", legend+30, html.EscapeString(c.name))
		legend += 30 + 7*float64(len(c.name)) + 24
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// scale is the top of the vertical axis and the distance of its lines, both round numbers.
func (p *plot) scale() (top, step float64) {
	for _, c := range p.curves {
		if c.leaves {
			continue
		}
		for _, v := range c.values {
			top = max(top, v)
		}
	}
	top = max(top, 1e-3)
	step = math.Pow(10, math.Floor(math.Log10(top)))
	for _, finer := range []float64{0.2, 0.5, 1} {
		if top/(step*finer) <= 6 {
			step *= finer
			break
		}
	}
	return math.Ceil(top/step) * step, step
}
