package plot

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	scale "golang.org/x/image/draw"
)

// Tile is a picture of a contact sheet with what stands below it.
type Tile struct {
	Image image.Image // nil: a grey square
	Lines []string    // those after the first in another colour
}

// The measures of a contact sheet, in pixels.
const (
	TileSide     = 144 // of the square that a picture is fitted into
	tileGap      = 12
	lineHeight   = 17
	titleHeight  = 30
	sheetColumns = 6
)

// Sheet draws pictures in rows of six under a title as PNG, and returns its size in pixels.
func Sheet(w io.Writer, title string, tiles []Tile) (image.Point, error) {
	lines := 0
	for _, t := range tiles {
		lines = max(lines, len(t.Lines))
	}
	columns, rows := max(min(len(tiles), sheetColumns), 3), (len(tiles)+sheetColumns-1)/sheetColumns
	height := TileSide + lines*lineHeight + tileGap
	size := image.Pt(columns*(TileSide+tileGap)+tileGap, titleHeight+rows*height+tileGap)
	sheet := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	heading, err := newWriter(sheet, 12)
	if err != nil {
		return image.Point{}, err
	}
	heading.line(title, tileGap, titleHeight-tileGap+4, size.X-2*tileGap, color.Black)
	text, err := newWriter(sheet, 10)
	if err != nil {
		return image.Point{}, err
	}
	for i, t := range tiles {
		x, y := tileGap+i%sheetColumns*(TileSide+tileGap), titleHeight+i/sheetColumns*height
		place := image.Rect(x, y, x+TileSide, y+TileSide)
		draw.Draw(sheet, place, image.NewUniform(color.Gray{235}), image.Point{}, draw.Src)
		if t.Image != nil {
			fitted := Fit(t.Image)
			from := fitted.Bounds()
			at := place.Min.Add(place.Size().Sub(from.Size()).Div(2))
			draw.Draw(sheet, from.Sub(from.Min).Add(at), fitted, from.Min, draw.Over)
		}
		for k, line := range t.Lines {
			c := color.RGBA{0, 0, 0, 255}
			if k > 0 {
				c = palette[1]
			}
			text.line(line, x, y+TileSide+(k+1)*lineHeight-3, TileSide, c)
		}
	}
	fast := png.Encoder{CompressionLevel: png.BestSpeed} // photographs hardly become smaller
	return size, fast.Encode(w, sheet)
}

// Fit returns a picture enlarged or reduced, in its proportions, to a longer side of TileSide pixels. A small one keeps its pixels.
func Fit(m image.Image) *image.RGBA {
	from := m.Bounds()
	longer := max(from.Dx(), from.Dy(), 1)
	if fitted, ok := m.(*image.RGBA); ok && longer == TileSide {
		return fitted
	}
	side := func(n int) int { return max((n*TileSide+longer/2)/longer, 1) }
	to := image.NewRGBA(image.Rect(0, 0, side(from.Dx()), side(from.Dy())))
	var by scale.Scaler = scale.CatmullRom
	if longer < TileSide {
		by = scale.NearestNeighbor
	}
	by.Scale(to, to.Bounds(), m, from, draw.Src, nil)
	return to
}
