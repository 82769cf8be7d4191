package train

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// History is the figures of each epoch, in order.
type History []Epoch

// Epoch is one epoch's figures.
type Epoch struct {
	Epoch int // counted from 1
	// Logs holds loss, learning_rate, each metric, and with validation the same with val_ before it, as Keras's history.
	Logs    map[string]float64
	Seconds float64
}

// Keys returns the keys of all epochs' logs: loss first, then the other training figures, then those of the validation,
// learning_rate last.
func (h History) Keys() []string {
	seen := map[string]bool{}
	for _, e := range h {
		for k := range e.Logs {
			seen[k] = true
		}
	}
	rank := func(key string) int {
		switch {
		case key == "loss":
			return 0
		case key == "learning_rate":
			return 4
		case key == "val_loss":
			return 2
		case strings.HasPrefix(key, "val_"):
			return 3
		default:
			return 1
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// Column returns one figure of every epoch that has it, and the epochs.
func (h History) Column(key string) (epochs []int, values []float64) {
	for _, e := range h {
		if v, ok := e.Logs[key]; ok {
			epochs, values = append(epochs, e.Epoch), append(values, v)
		}
	}
	return epochs, values
}

// WriteCSV writes a header (epoch, the keys, seconds) and a row an epoch; a figure that an epoch lacks is empty.
func (h History) WriteCSV(w io.Writer) error {
	out, keys := csv.NewWriter(w), h.Keys()
	if err := out.Write(slices.Concat([]string{"epoch"}, keys, []string{"seconds"})); err != nil {
		return err
	}
	for _, e := range h {
		row := []string{strconv.Itoa(e.Epoch)}
		for _, k := range keys {
			cell := ""
			if v, ok := e.Logs[k]; ok {
				cell = strconv.FormatFloat(v, 'g', -1, 64)
			}
			row = append(row, cell)
		}
		if err := out.Write(append(row, strconv.FormatFloat(e.Seconds, 'f', 3, 64))); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// MarshalJSON returns one flat object: {"epoch": 1, "loss": …, "val_loss": …, "seconds": …}. Figures that JSON has no
// number for (NaN, infinities) become null.
func (e Epoch) MarshalJSON() ([]byte, error) {
	flat := map[string]any{"epoch": e.Epoch, "seconds": e.Seconds}
	for k, v := range e.Logs {
		if v-v != 0 {
			flat[k] = nil
		} else {
			flat[k] = v
		}
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON wrote; null figures are left out.
func (e *Epoch) UnmarshalJSON(data []byte) error {
	var flat map[string]*float64
	if err := json.Unmarshal(data, &flat); err != nil {
		return err
	}
	*e = Epoch{Logs: map[string]float64{}}
	for k, v := range flat {
		switch {
		case v == nil:
		case k == "epoch":
			e.Epoch = int(*v)
		case k == "seconds":
			e.Seconds = *v
		default:
			e.Logs[k] = *v
		}
	}
	return nil
}
