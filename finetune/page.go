package finetune

import (
	"bytes"
	_ "embed" // of the template
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"io"
	"math"
	"path/filepath"
	"strconv"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + "\u00a0%" },
	"number":  func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) },
	"seconds": func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " s" },
}).Parse(pageText))

// page writes report.html: what the report says, in one file for a browser, with its pictures in it.
func (s *session) page() error {
	p, err := s.newPage()
	if err != nil {
		return fmt.Errorf("report.html: %w", err)
	}
	return s.file("report.html", func(w io.Writer) error { return pageTemplate.Execute(w, p) })
}

// page is what the template shows.
type page struct {
	*Report
	Title    string
	Settings [][2]string
	Parts    []part
	Pictures map[string]template.URL // curves, trials, and confusion where it is too large for a table
	Matrix   []row                   // the confusion matrix
	Measured string                  // what it and the mistakes are of: "test" or "validation"
	Mistakes []shownMistake
	Wrong    int // how many there are in all
	Keys     []string
	Epochs   [][]string
}

// part is a set of samples and how the model does on it.
type part struct {
	Name string
	*Measures
}

// row is an actual class and how often it was taken for each.
type row struct {
	Label string
	Cells []cell
}

type cell struct {
	Count int
	Share float64 // of the row
	Right bool
}

type shownMistake struct {
	Mistake
	Picture template.URL // "" where it cannot be shown
}

// mostCells is up to how many classes the confusion matrix is a table.
const mostCells = 25

func (s *session) newPage() (*page, error) {
	r := &s.report
	p := &page{Report: r, Title: filepath.Base(filepath.Clean(s.o.Out)), Pictures: map[string]template.URL{}, Keys: r.History.Keys()}
	for _, part := range []part{{"test", r.Test}, {"validation", r.Validation}} {
		if part.Measures != nil {
			p.Parts = append(p.Parts, part)
		}
	}
	for _, name := range []string{"curves", "trials", "confusion"} {
		if drawn := s.drawn[name]; drawn != nil {
			p.Pictures[name] = dataURI("png", drawn)
		}
	}
	m, name := r.measured()
	if p.Measured = name; m != nil {
		p.matrix(m, s.data.classes)
		p.Wrong, _ = m.wrong()
		for i, w := range m.Worst {
			uri, err := thumbnailURI(s.thumbnails[i])
			if err != nil {
				return nil, err
			}
			if short, err := filepath.Rel(s.o.Data, w.Image); w.Image != "" && err == nil {
				w.Image = short
			}
			p.Mistakes = append(p.Mistakes, shownMistake{w, uri})
		}
	}
	for _, e := range r.History {
		cells := []string{strconv.Itoa(e.Epoch)}
		for _, k := range p.Keys {
			v, ok := e.Logs[k]
			if cells = append(cells, strconv.FormatFloat(v, 'g', 4, 64)); !ok {
				cells[len(cells)-1] = ""
			}
		}
		p.Epochs = append(p.Epochs, append(cells, strconv.FormatFloat(e.Seconds, 'f', 2, 64)))
	}
	return p, p.settings(&s.o)
}

// matrix fills the confusion matrix, if it is not too large.
func (p *page) matrix(m *Measures, classes []string) {
	if len(m.Confusion) > mostCells {
		return
	}
	delete(p.Pictures, "confusion")
	for i, counts := range m.Confusion {
		total := 0
		for _, n := range counts {
			total += n
		}
		r := row{Label: classes[i]}
		for j, n := range counts {
			r.Cells = append(r.Cells, cell{n, math.Round(1000*float64(n)/float64(max(total, 1))) / 1000, i == j})
		}
		p.Matrix = append(p.Matrix, r)
	}
}

// settings lists what was set: the data and the base first, then the hyperparameters by their names in report.json.
func (p *page) settings(o *Options) error {
	add := func(name string, value any) { p.Settings = append(p.Settings, [2]string{name, fmt.Sprint(value)}) }
	add("data", o.Data)
	add("base", o.Base)
	if o.Base == "none" {
		add("engine", p.Engine)
	} else {
		add("engine", p.Engine+" for the head, tensorflow for the base")
	}
	add("seed", o.Seed)
	add("validation_split", o.ValidationSplit)
	add("patience", o.Patience)
	if o.ClassWeights != "" {
		add("class_weights", o.ClassWeights)
	}
	if t := p.FineTuning; t != nil {
		add("unfreeze", t.Unfreeze)
		add("unfreeze_epochs", t.Epochs)
		add("unfreeze_learning_rate", t.LearningRate)
		add("batch normalization of unfrozen layers", map[string]string{"frozen": "with the statistics it has", "batch": "by the batch"}[t.BatchNormalization])
	}
	text, err := json.Marshal(p.Hyperparameters)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text)) // token by token: in the order of the fields
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		shown := string(value)
		if unquoted, err := strconv.Unquote(shown); err == nil {
			shown = unquoted
		}
		switch {
		case key == "learning_rate" && shown == "0":
			shown = "the optimizer's"
		case shown == "null":
			shown = "none"
		}
		add(fmt.Sprint(key), shown)
	}
	return nil
}

// dataURI holds a picture in itself.
func dataURI(format string, content []byte) template.URL {
	return template.URL("data:image/" + format + ";base64," + base64.StdEncoding.EncodeToString(content))
}

func thumbnailURI(m image.Image) (template.URL, error) {
	if m == nil {
		return "", nil
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90})
	return dataURI("jpeg", b.Bytes()), err
}
