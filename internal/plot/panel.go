package plot

import (
	"image"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The size of a panel in pixels, and pixels an inch.
const (
	panelWidth  = 480
	panelHeight = 360
	dpi         = 96
)

// palette is Okabe and Ito's (2008): eight colours that colour-blind readers tell apart, without its yellow.
var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 180, 233, 255}, {230, 159, 0, 255}, {0, 0, 0, 255},
}

// Series is a line through points, or the points themselves.
type Series struct {
	Name    string
	X, Y    []float64
	Scatter bool
}

// Panel is one diagram.
type Panel struct {
	Title, X, Y string
	Series      []Series
	// Field colours the background by a function of both axes with values from 0 to 1: a classifier's answer.
	Field func(x, y float64) float64
	// XRange and YRange are the axes' ends; equal ends are chosen from the series. A Field needs them.
	XRange, YRange [2]float64
	// Marks are dashed vertical lines.
	Marks []Mark
}

// Mark is a place on the horizontal axis.
type Mark struct {
	Name string
	At   float64
}

// Write draws panels side by side as one PNG and returns its size in pixels. Points that are not finite are left out.
func Write(w io.Writer, panels ...Panel) (image.Point, error) {
	plots := make([]*plot.Plot, len(panels))
	for i, p := range panels {
		var err error
		if plots[i], err = p.plot(); err != nil {
			return image.Point{}, err
		}
	}
	return write(w, panelWidth, panelHeight, plots...)
}

func write(w io.Writer, width, height int, plots ...*plot.Plot) (image.Point, error) {
	size := image.Pt(width*len(plots), height)
	canvas := vgimg.NewWith(vgimg.UseImage(image.NewRGBA(image.Rectangle{Max: size})), vgimg.UseDPI(dpi))
	canvas.SetColor(color.White)
	area := draw.New(canvas)
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadLeft: 6, PadRight: 12, PadTop: 6, PadBottom: 6, PadX: 18}
	for i, p := range plots {
		p.Draw(tiles.At(area, i, 0))
	}
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return size, err
}

func (p Panel) plot() (*plot.Plot, error) {
	out := styled(p.Title, p.X, p.Y)
	if p.Field != nil {
		heat := plotter.NewHeatMap(field{p}, shades{})
		heat.Rasterized, heat.Min, heat.Max = true, 0, 1
		out.Add(heat)
	} else {
		grid := plotter.NewGrid()
		grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
		out.Add(grid)
	}
	for i, s := range p.Series {
		if err := s.add(out, palette[i%len(palette)], p.Field != nil); err != nil {
			return nil, err
		}
	}
	if p.XRange[0] != p.XRange[1] {
		out.X.Min, out.X.Max = p.XRange[0], p.XRange[1]
	}
	if p.YRange[0] != p.YRange[1] {
		out.Y.Min, out.Y.Max = p.YRange[0], p.YRange[1]
	}
	for i, m := range p.Marks {
		line, err := plotter.NewLine(plotter.XYs{{X: m.At, Y: out.Y.Min}, {X: m.At, Y: out.Y.Max}})
		if err != nil {
			return nil, err
		}
		line.Dashes = []vg.Length{vg.Points(4 / float64(i+1)), vg.Points(3)}
		line.Color = color.Gray{90}
		out.Add(line)
		out.Legend.Add(m.Name, line)
	}
	out.Legend.Top = p.roomAbove(out)
	return out, nil
}

// roomAbove reports whether the upper right corner, where the legend stands, is emptier than the lower one.
func (p Panel) roomAbove(axes *plot.Plot) bool {
	middleX, middleY := (axes.X.Min+axes.X.Max)/2, (axes.Y.Min+axes.Y.Max)/2
	above := 0
	for _, s := range p.Series {
		for i, x := range s.X {
			switch {
			case x < middleX:
			case s.Y[i] > middleY:
				above++
			default:
				above--
			}
		}
	}
	return above <= 0
}

func styled(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(12), vg.Points(4)
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = vg.Points(10), vg.Points(10)
	for _, t := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		t.Font.Variant = "Sans"
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	p.Legend.TextStyle.Font.Size = vg.Points(10)
	p.Legend.Padding = vg.Points(2)
	return p
}

// ticks are at whole multiples of 1, 2 or 5 times a power of ten, about six of them.
type ticks struct{}

// Ticks returns the ticks between two ends.
func (ticks) Ticks(from, to float64) []plot.Tick {
	if !(to > from) {
		return nil
	}
	power := math.Pow(10, math.Floor(math.Log10((to-from)/6)))
	step := power * 10
	for _, factor := range []float64{1, 2, 5} {
		if (to-from)/(power*factor) <= 8 {
			step = power * factor
			break
		}
	}
	var list []plot.Tick
	for i := math.Ceil(from / step); i*step <= to; i++ {
		list = append(list, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 5, 64)})
	}
	return list
}

func (s Series) add(p *plot.Plot, c color.RGBA, framed bool) error {
	var points plotter.XYs
	for i := range s.X {
		if finite(s.X[i]) && finite(s.Y[i]) {
			points = append(points, plotter.XY{X: s.X[i], Y: s.Y[i]})
		}
	}
	if len(points) == 0 {
		return nil
	}
	if s.Scatter || len(points) == 1 {
		scatter, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
		if framed {
			halo := *scatter
			halo.Color, halo.Radius = color.White, vg.Points(7)
			scatter.Radius = vg.Points(5.5)
			p.Add(&halo)
		}
		p.Add(scatter)
		p.Legend.Add(s.Name, scatter)
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1.6)
	p.Add(line)
	if s.Name != "" {
		p.Legend.Add(s.Name, line)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// field is a Panel's Field on a grid, for the heat map.
type field struct{ p Panel }

const fieldCells = 80

// Dims returns the cells of both axes.
func (f field) Dims() (columns, rows int) { return fieldCells, fieldCells }

// X returns the middle of a column.
func (f field) X(c int) float64 { return at(f.p.XRange, c) }

// Y returns the middle of a row.
func (f field) Y(r int) float64 { return at(f.p.YRange, r) }

// Z returns the value of a cell, between 0 and 1.
func (f field) Z(c, r int) float64 { return min(max(f.p.Field(f.X(c), f.Y(r)), 0), 1) }

func at(ends [2]float64, i int) float64 {
	return ends[0] + (ends[1]-ends[0])*(float64(i)+0.5)/fieldCells
}

// shades goes from a light blue through white to a light orange.
type shades struct{}

const shadeSteps = 64

// Colors returns the steps.
func (shades) Colors() []color.Color {
	colors := make([]color.Color, shadeSteps)
	for i := range colors {
		t := 2*float64(i)/(shadeSteps-1) - 1
		colors[i] = between(color.RGBA{255, 255, 255, 255}, palette[min(int(t+1), 1)], math.Abs(t)*0.6)
	}
	return colors
}

// between mixes two colours.
func between(a, b color.RGBA, t float64) color.RGBA {
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*t)) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}
