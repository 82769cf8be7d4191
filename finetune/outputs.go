package finetune

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/internal/tfevents"
	"github.com/cambium-go/cambium/train"
)

const (
	reportFile = "report.json" // written last, when everything else is there
	labelsFile = "labels.txt"
)

// sometimes are the results that not every run has.
var sometimes = []string{labelsFile, "model.keras", "trials.png", "confusion.png", "worst.png"}

// write fills Out with the results. Those of an earlier run stay as they were until all of this one's are there, the exported model
// checked; then none of them is left.
func (s *session) write(model train.Trainable) error {
	stale := slices.Clone(sometimes)
	err := atomicfile.Merge(s.o.Out, reportFile, func(dir string) error {
		s.results = dir
		if err := s.writeResults(model); err != nil {
			return err
		}
		stale = slices.DeleteFunc(stale, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		})
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := removed(s.path(name)); err != nil {
			return err
		}
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *session) writeResults(model train.Trainable) error {
	if s.data.classes != nil {
		if err := s.file(labelsFile, s.labels); err != nil {
			return err
		}
	}
	if err := s.file("history.csv", s.report.History.WriteCSV); err != nil {
		return err
	}
	if err := s.pictures(); err != nil {
		return err
	}
	if err := s.export(model); err != nil {
		return err
	}
	if err := s.page(); err != nil {
		return err
	}
	return s.file(reportFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(s.report)
	})
}

func (s *session) file(name string, write func(io.Writer) error) error {
	return atomicfile.Write(filepath.Join(s.results, name), write)
}

// pictures draws curves.png, trials.png, confusion.png and worst.png, and gives them to TensorBoard.
func (s *session) pictures() error {
	panels := curves(&s.report)
	if err := s.picture("curves", func(w io.Writer) (image.Point, error) { return plot.Write(w, panels...) }); err != nil {
		return err
	}
	if len(s.report.Trials) > 0 {
		if err := s.picture("trials", func(w io.Writer) (image.Point, error) { return plot.Write(w, trialPanel(s.report.Trials)) }); err != nil {
			return err
		}
	}
	measured, _ := s.report.measured()
	s.thumbnails = measured.thumbnails()
	if err := s.contactSheet(); err != nil {
		return err
	}
	if measured == nil || measured.Confusion == nil {
		return nil
	}
	return s.picture("confusion", func(w io.Writer) (image.Point, error) { return plot.Confusion(w, s.data.classes, measured.Confusion) })
}

func (s *session) picture(name string, draw func(io.Writer) (image.Point, error)) error {
	var png bytes.Buffer
	size, err := draw(&png)
	if err != nil {
		return fmt.Errorf("%s.png: %w", name, err)
	}
	if err := s.events.training.PNG(name, int64(len(s.report.History)), png.Bytes(), size.X, size.Y); err != nil {
		return err
	}
	s.drawn[name] = png.Bytes()
	return s.file(name+".png", func(w io.Writer) error { _, err := w.Write(png.Bytes()); return err })
}

// curves are a panel for the loss and one for each metric.
func curves(r *Report) []plot.Panel {
	var panels []plot.Panel
	var marks []plot.Mark
	switch h, o := r.History, r.Overfitting; {
	case o.Detected:
		marks = append(marks, plot.Mark{Name: fmt.Sprintf("overfits after epoch %d", o.Epoch), At: float64(o.Epoch)})
	case r.BestEpoch < len(h):
		marks = append(marks, plot.Mark{Name: fmt.Sprintf("best epoch: %d", r.BestEpoch), At: float64(r.BestEpoch)})
	}
	if r.FineTuning != nil {
		marks = append(marks, plot.Mark{Name: "fine-tuning", At: float64(r.FineTuning.FromEpoch) - 0.5})
	}
	for _, key := range r.History.Keys() {
		if key == "learning_rate" || strings.HasPrefix(key, "val_") {
			continue
		}
		p := plot.Panel{Title: key, X: "epoch", Y: key, Marks: marks}
		for _, line := range [][2]string{{"training", key}, {"validation", "val_" + key}} {
			if epochs, y := r.History.Column(line[1]); len(epochs) > 0 {
				p.Series = append(p.Series, plot.Series{Name: line[0], X: floats(epochs), Y: y})
			}
		}
		panels = append(panels, p)
	}
	return panels
}

func floats(x []int) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// events are TensorBoard's curves, in two runs as Keras's callback writes them.
type events struct {
	training, validation *tfevents.Writer
}

func openEvents(dir string, validated bool) (*events, error) {
	var e events
	var err error
	if e.training, err = tfevents.Create(filepath.Join(dir, "train")); err != nil || !validated {
		return &e, err
	}
	if e.validation, err = tfevents.Create(filepath.Join(dir, "validation")); err != nil {
		return nil, errors.Join(err, e.training.Close())
	}
	return &e, nil
}

// hyperparameters writes the settings as a text.
func (e *events) hyperparameters(h *Hyperparameters) error {
	text, err := json.MarshalIndent(h, "    ", " ") // four spaces: code, in Markdown
	if err != nil {
		return err
	}
	return e.training.Text("hyperparameters", 0, "    "+string(text))
}

// epoch writes an epoch's figures, as epoch_loss and so on.
func (e *events) epoch(figures train.Epoch) error {
	for _, key := range (train.History{figures}).Keys() {
		w, name := e.training, key
		if rest, ok := strings.CutPrefix(key, "val_"); ok {
			w, name = e.validation, rest
		}
		if v := figures.Logs[key]; !math.IsNaN(v) {
			if err := w.Scalar("epoch_"+name, int64(figures.Epoch), v); err != nil {
				return err
			}
		}
	}
	if e.validation != nil {
		if err := e.validation.Flush(); err != nil {
			return err
		}
	}
	return e.training.Flush()
}

func (e *events) close() error {
	if e.validation != nil {
		if err := e.validation.Close(); err != nil {
			return err
		}
	}
	return e.training.Close()
}
