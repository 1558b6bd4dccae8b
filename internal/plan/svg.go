package plan

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

// The drawing's measures, in pixels.
const (
	svgWidth, svgHeight = 900, 480
	svgLeft, svgTop     = 70, 60
	svgRight            = svgWidth - 20
	svgPlot             = 150 // the height of each of the two plots
	svgLabel            = 55  // the width of a label below a bar
)

// WriteSVG draws the answer: the load by the minute beside what the order takes, and what is served
// and spills by the number of GSUs.
func (a *Answer) WriteSVG(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight)
	// The background is its own: a browser that shows the file alone leaves it white, dark or not.
	b.WriteString(`<style>.back{fill:#fff}text{fill:#333}.axis{stroke:#888}.load{fill:#9db8d9}.bought{stroke:#b5462f;stroke-width:2}` +
		`.served{fill:#4f8a5b}.spilled{fill:#d9a13b}@media(prefers-color-scheme:dark){.back{fill:#16191d}text{fill:#ddd}}</style>` + "\n")
	rect(&b, "back", 0, 0, svgWidth, svgHeight)
	text(&b, svgLeft, svgTop-35, plain.Plural(len(a.Calls), "call")+" for "+a.Model)
	a.drawLoad(&b)
	a.drawSizes(&b)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(to, b.String())
	return err
}

func text(b *strings.Builder, x, y float64, s string) {
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f">%s</text>`+"\n", x, y, html.EscapeString(plain.Text(s, 200)))
}

// legend draws what a colour stands for, and returns where the next one goes.
func legend(b *strings.Builder, class string, x, y float64, name string) (next float64) {
	rect(b, class, x, y-10, 12, 12)
	text(b, x+18, y, name)
	return x + 40 + 7*float64(len(name))
}

func line(b *strings.Builder, class string, x1, x2, y float64) {
	fmt.Fprintf(b, `<line class="%s" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`+"\n", class, x1, x2, y, y)
}

func rect(b *strings.Builder, class string, x, y, width, height float64) {
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, width, height)
}

// column is the time of one column of the load: a minute, or more where not all minutes fit.
func (a *Answer) column() time.Duration {
	const columns = 400
	return max((a.Span / columns).Round(time.Second), time.Minute)
}

// drawLoad draws the load over time.
func (a *Answer) drawLoad(b *strings.Builder) {
	perColumn := a.column().Seconds()
	n := int(a.Span.Seconds()/perColumn) + 1
	loads := make([]float64, n)
	for i := range a.Calls {
		loads[int(a.Calls[i].At.Sub(a.Calls[0].At).Seconds()/perColumn)] += a.cost(a.Calls[i].Usage) / perColumn
	}
	most := float64(a.Recommended) * a.PerGSU
	for _, l := range loads {
		most = max(most, l)
	}
	width := float64(svgRight-svgLeft) / float64(n)
	for i, l := range loads {
		height := svgPlot * l / max(most, 1)
		rect(b, "load", svgLeft+float64(i)*width, svgTop+svgPlot-height, width, height)
	}
	const bottom = svgTop + svgPlot
	text(b, 5, svgTop+5, plain.Number(int64(most)))
	text(b, svgLeft-15, bottom, "0")
	line(b, "axis", svgLeft, svgRight, bottom)
	text(b, svgLeft, bottom+16, a.Calls[0].At.UTC().Format("2006-01-02 15:04Z"))
	fmt.Fprintf(b, `<text text-anchor="end" x="%d" y="%d">%s later</text>`+"\n", svgRight, bottom+16, plain.Span(time.Duration(n)*a.column()))
	x := legend(b, "load", svgLeft, svgTop-14, "tokens a second, mean over "+plain.Span(a.column()))
	if a.Recommended > 0 {
		line(b, "bought", svgLeft, svgRight, bottom-svgPlot*float64(a.Recommended)*a.PerGSU/max(most, 1))
		line(b, "bought", x, x+12, svgTop-18)
		text(b, x+18, svgTop-14, "what "+plain.Plural(a.Recommended, "GSU")+" serve")
	}
}

// drawSizes draws a bar for each number of GSUs.
func (a *Answer) drawSizes(b *strings.Builder) {
	const top = svgTop + svgPlot + 70
	text(b, svgLeft, top-26, "by the number of GSUs, with the worse window:")
	x := legend(b, "served", svgLeft, top-8, "tokens that the order serves")
	legend(b, "spilled", x, top-8, "tokens that spill to pay-as-you-go")
	width := float64(svgRight-svgLeft) / float64(max(len(a.Sizes), 1))
	text(b, 5, top+svgPlot+16, "GSUs")
	text(b, 5, top+svgPlot+30, "served")
	every := int(math.Ceil(svgLabel / width)) // labels, where there is room
	for i := range a.Sizes {
		s := &a.Sizes[i]
		x, spill := svgLeft+float64(i)*width, math.Min(s.Spill(), 1)
		rect(b, "spilled", x+width*0.1, top, width*0.8, svgPlot*spill)
		rect(b, "served", x+width*0.1, top+svgPlot*spill, width*0.8, svgPlot*(1-spill))
		if i%every == 0 && x+svgLabel < svgWidth {
			text(b, x+width*0.1, top+svgPlot+16, strconv.Itoa(s.GSUs))
			text(b, x+width*0.1, top+svgPlot+30, fmt.Sprintf("%.1f %%", 100*(1-spill)))
		}
	}
}
