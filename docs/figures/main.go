// Command figures draws the pictures of docs/learn.md and docs/performance.md into docs/img:
//
//	CGO_ENABLED=0 go run ./docs/figures                # all
//	CGO_ENABLED=0 go run ./docs/figures gates xor      # some
//
// Those of MNIST fetch it the first time. The same seeds give the same pictures, but for growth, which measures times.
package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/plot"
)

const folder = "docs/img"

// figure is a picture and what draws it.
type figure struct {
	name string
	draw func(ctx context.Context) error
}

var figures = []figure{
	{"gates", gates}, {"xor", xor}, {"activations", activations}, {"losses", losses}, {"optimizers", optimizers}, {"batches", batches},
	{"rates", rates}, {"overfitting", overfitting}, {"threshold", threshold}, {"convolution", convolution}, {"mnist", mnistFigures},
	{"transfer", transfer}, {"growth", growth},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(figures, func(f figure) bool { return f.name == name }) {
			return fmt.Errorf("there is no figure %q; there are%s", name, all())
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range figures {
		if len(names) > 0 && !slices.Contains(names, f.name) {
			continue
		}
		if err := f.draw(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// all lists the figures' names.
func all() string {
	var b strings.Builder
	for _, f := range figures {
		b.WriteString(" " + f.name)
	}
	return b.String()
}

// write draws panels into docs/img/NAME.png.
func write(name string, panels ...plot.Panel) error {
	return save(name, func(w io.Writer) (image.Point, error) { return plot.Write(w, panels...) })
}

func save(name string, draw func(io.Writer) (image.Point, error)) error {
	path := filepath.Join(folder, name+".png")
	fmt.Println(path)
	return atomicfile.Write(path, func(w io.Writer) error { _, err := draw(w); return err })
}

// line returns a series of a function over a range.
func line(name string, from, to float64, f func(x float64) float64) plot.Series {
	const steps = 240
	s := plot.Series{Name: name}
	for i := range steps + 1 {
		x := from + (to-from)*float64(i)/steps
		s.X, s.Y = append(s.X, x), append(s.Y, f(x))
	}
	return s
}
