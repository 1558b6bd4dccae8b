package plan

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
)

// The drawing's measures, in pixels.
const (
	svgWidth, svgHeight = 900, 480
	svgLeft, svgTop     = 70, 50
	svgPlot             = 150 // the height of each of the two plots
)

// WriteSVG draws the answer: the load by the minute beside what the order takes, and what is served
// and spills by the number of GSUs.
func (a *Answer) WriteSVG(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight)
	b.WriteString(`<style>text{fill:#333}.load{fill:#9db8d9}.bought{stroke:#b5462f;stroke-width:2}.served{fill:#4f8a5b}.spilled{fill:#d9a13b}` +
		`@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>` + "\n")
	title := fmt.Sprintf("%s calls for %s: tokens a second, by the minute", plain.Number(int64(len(a.Calls))), a.Model)
	text(&b, svgLeft, svgTop-20, title)
	a.drawLoad(&b)
	a.drawSizes(&b)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(to, b.String())
	return err
}

func text(b *strings.Builder, x, y float64, s string) {
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f">%s</text>`+"\n", x, y, html.EscapeString(plain.Text(s, 200)))
}

func rect(b *strings.Builder, class string, x, y, width, height float64) {
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, width, height)
}

// drawLoad draws the load by the minute, of which there may be many: as many columns as fit.
func (a *Answer) drawLoad(b *strings.Builder) {
	const columns = 400
	perColumn := max(a.Span.Seconds()/columns, 60)
	n := int(a.Span.Seconds()/perColumn) + 1
	loads := make([]float64, n)
	for i := range a.Calls {
		loads[int(a.Calls[i].At.Sub(a.Calls[0].At).Seconds()/perColumn)] += a.cost(a.Calls[i].Usage) / perColumn
	}
	most := float64(a.Recommended) * a.PerGSU
	for _, l := range loads {
		most = max(most, l)
	}
	width := float64(svgWidth-svgLeft-20) / float64(n)
	for i, l := range loads {
		height := svgPlot * l / max(most, 1)
		rect(b, "load", svgLeft+float64(i)*width, svgTop+svgPlot-height, width, height)
	}
	text(b, 5, svgTop+10, plain.Number(int64(most)))
	if a.Recommended > 0 {
		y := svgTop + svgPlot*(1-float64(a.Recommended)*a.PerGSU/max(most, 1))
		fmt.Fprintf(b, `<line class="bought" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", svgLeft, svgWidth-20, y, y)
		text(b, svgLeft, svgTop+svgPlot+18, "the line: "+plain.Plural(a.Recommended, "GSU"))
	}
}

// drawSizes draws a bar for each number of GSUs.
func (a *Answer) drawSizes(b *strings.Builder) {
	const top = svgTop + svgPlot + 60
	text(b, svgLeft, top-12, "served by the order, and spilled, by the number of GSUs, with the worse window")
	width := float64(svgWidth-svgLeft-20) / float64(max(len(a.Sizes), 1))
	for i := range a.Sizes {
		s := &a.Sizes[i]
		x, spill := svgLeft+float64(i)*width, math.Min(s.Spill(), 1)
		rect(b, "spilled", x+width*0.1, top, width*0.8, svgPlot*spill)
		rect(b, "served", x+width*0.1, top+svgPlot*spill, width*0.8, svgPlot*(1-spill))
		text(b, x+width*0.1, top+svgPlot+16, fmt.Sprintf("%d: %.1f %%", s.GSUs, 100*(1-spill)))
	}
}
