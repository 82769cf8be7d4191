package plot

import (
	"image"
	"image/color"
	"image/draw"
	"strconv"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	gonumfont "gonum.org/v1/plot/font"
)

// letters is the font that everything is set in.
func letters() *opentype.Font {
	return gonumfont.DefaultCache.Lookup(gonumfont.Font{Typeface: "Liberation", Variant: "Sans"}, 1).Face
}

// hasLetters reports whether the font has what a text is written with.
func hasLetters(text string) bool {
	var buffer sfnt.Buffer
	for _, r := range text {
		glyph, err := letters().GlyphIndex(&buffer, r)
		if err != nil || glyph == 0 || unicode.IsControl(r) {
			return false
		}
	}
	return text != ""
}

// ClassName returns what a picture calls a class: its name or, where the font lacks its letters, "#3" for the third class.
func ClassName(names []string, class int) string {
	if hasLetters(names[class]) {
		return names[class]
	}
	return "#" + strconv.Itoa(class+1)
}

// writer sets lines of text into an image.
type writer struct{ font.Drawer }

func newWriter(on draw.Image, points float64) (writer, error) {
	face, err := opentype.NewFace(letters(), &opentype.FaceOptions{Size: points, DPI: dpi, Hinting: font.HintingFull})
	return writer{font.Drawer{Dst: on, Face: face}}, err
}

// line writes text from (left, baseline) on, shortened to a width in pixels.
func (w *writer) line(text string, left, baseline, width int, c color.Color) {
	fits := func(s string) bool { return w.MeasureString(s) <= fixed.I(width) }
	if runes := []rune(text); !fits(text) {
		for len(runes) > 0 && !fits(string(runes)+"…") {
			runes = runes[:len(runes)-1]
		}
		text = string(runes) + "…"
	}
	w.Src, w.Dot = image.NewUniform(c), fixed.P(left, baseline)
	w.DrawString(text)
}
