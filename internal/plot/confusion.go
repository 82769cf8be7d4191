package plot

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// numberedClasses is up to how many classes the cells of a confusion matrix hold numbers and the axes hold names.
const numberedClasses = 25

// Confusion draws a confusion matrix as PNG and returns its size in pixels: a row an actual class, a column a predicted one,
// darker the larger the cell's share of its row.
func Confusion(w io.Writer, labels []string, counts [][]int) (image.Point, error) {
	if len(labels) != len(counts) || len(counts) == 0 {
		return image.Point{}, fmt.Errorf("plot: %d labels for a confusion matrix of %d classes", len(labels), len(counts))
	}
	p := styled("confusion matrix", "predicted", "actual")
	p.Add(cells{counts})
	n := float64(len(counts))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, n-0.5, -0.5, n-0.5
	p.X.Padding, p.Y.Padding = 0, 0
	if len(counts) <= numberedClasses {
		var x, y plot.ConstantTicks
		longest := 0
		for i := range labels {
			l := ClassName(labels, i)
			x = append(x, plot.Tick{Value: float64(i), Label: l})
			y = append(y, plot.Tick{Value: n - 1 - float64(i), Label: l})
			longest = max(longest, len(l))
		}
		p.X.Tick.Marker, p.Y.Tick.Marker = x, y
		if longest > 3 {
			p.X.Tick.Label.Rotation = 0.8
			p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
		}
	}
	side := min(max(panelHeight, 44*len(counts)+140), 1200)
	return write(w, side+40, side, p)
}

// cells draws the matrix.
type cells struct{ counts [][]int }

// Plot draws a square a cell, and its number.
func (m cells) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	n := len(m.counts)
	style := p.X.Tick.Label
	style.XAlign, style.YAlign, style.Rotation = draw.XCenter, draw.YCenter, 0
	for i, row := range m.counts {
		total := 0
		for _, v := range row {
			total += v
		}
		for j, v := range row {
			share := float64(v) / float64(max(total, 1))
			cx, cy := float64(j), float64(n-1-i)
			c.FillPolygon(between(color.RGBA{255, 255, 255, 255}, palette[0], share), []vg.Point{
				{X: x(cx - 0.5), Y: y(cy - 0.5)}, {X: x(cx + 0.5), Y: y(cy - 0.5)}, {X: x(cx + 0.5), Y: y(cy + 0.5)}, {X: x(cx - 0.5), Y: y(cy + 0.5)}})
			if n <= numberedClasses && v > 0 {
				style.Color = color.Black
				if share > 0.5 {
					style.Color = color.White
				}
				c.FillText(style, vg.Point{X: x(cx), Y: y(cy)}, strconv.Itoa(v))
			}
		}
	}
}

var _ plot.Plotter = cells{}
var _ plotter.GridXYZ = field{}
