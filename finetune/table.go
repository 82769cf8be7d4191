package finetune

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// mostNumberClasses is up to how many different whole numbers a target column is taken for classes, not for a quantity.
const mostNumberClasses = 20

// loadTable reads a CSV file: a header, numbers, and one column that is the label.
func loadTable(o *Options) (*data, error) {
	file, err := os.Open(o.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", o.Data, ErrData, err)
	}
	defer file.Close()
	d, err := readTable(file, o.Target, o.Loss)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Data, err)
	}
	return d, nil
}

// readTable reads a table; loss says whether the target is a quantity where its column leaves that open.
func readTable(r io.Reader, target, loss string) (*data, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: no header: %w", ErrData, err)
	}
	columns := slices.Clone(header)
	columns[0] = strings.TrimPrefix(columns[0], "\ufeff") // a byte-order mark
	at := len(columns) - 1
	if target != "" {
		if at = slices.Index(columns, target); at < 0 {
			return nil, fmt.Errorf("%w: no column %q; the columns are %v", ErrOption, target, columns)
		}
	}
	if len(columns) < 2 {
		return nil, fmt.Errorf("%w: one column only, %q: a label and a feature at least are needed", ErrData, columns[0])
	}
	var features []float32
	var raw []string
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, wrap(ErrData, err)
		}
		for c, cell := range record {
			if c == at {
				raw = append(raw, strings.Clone(strings.TrimSpace(cell)))
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(cell), 32)
			if err != nil || v-v != 0 {
				line, _ := in.FieldPos(c)
				return nil, fmt.Errorf("%w: line %d, column %q: %q is not a number; features must be numbers", ErrData, line, columns[c], cell)
			}
			features = append(features, float32(v))
		}
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: a header and no rows", ErrData)
	}
	names := slices.Delete(slices.Clone(columns), at, at+1)
	d := &data{training: &train.Dataset{X: tensor.Must(tensor.Of(features, len(raw), len(names)))},
		input: input{shape: []int{len(names)}, columns: names}}
	if err := d.setTarget(raw, columns[at], loss); err != nil {
		return nil, err
	}
	return d, nil
}

// setTarget makes classes or numbers of the label column.
func (d *data) setTarget(raw []string, column, loss string) error {
	numbers, err := numbersOf(raw)
	classes := slices.Sorted(slices.Values(raw))
	classes = slices.Compact(classes)
	regression := err == nil && (len(classes) > mostNumberClasses || slices.ContainsFunc(numbers, func(v float64) bool { return v != math.Trunc(v) }))
	if loss != "" {
		l, lossErr := train.ParseLoss(loss)
		if lossErr != nil {
			return wrap(ErrOption, lossErr)
		}
		regression = !crossentropy(l)
	}
	if regression && err != nil {
		return fmt.Errorf("%w: column %q, the target of a regression: %w", ErrData, column, err)
	}
	if regression {
		y := make([]float32, len(numbers))
		for i, v := range numbers {
			y[i] = float32(v)
		}
		d.training.Y = tensor.Must(tensor.Of(y, len(y), 1))
		return nil
	}
	if err == nil { // 2 before 10
		slices.SortFunc(classes, func(a, b string) int {
			x, _ := strconv.ParseFloat(a, 64)
			y, _ := strconv.ParseFloat(b, 64)
			return int(math.Copysign(1, x-y))
		})
	}
	index := map[string]int32{}
	for i, c := range classes {
		if c == "" {
			return fmt.Errorf("%w: column %q has an empty label", ErrData, column)
		}
		index[c] = int32(i)
	}
	l := make([]int32, len(raw))
	for i, c := range raw {
		l[i] = index[c]
	}
	d.classes, d.training.Y = classes, vector(l)
	return nil
}

func numbersOf(cells []string) ([]float64, error) {
	values := make([]float64, len(cells))
	for i, c := range cells {
		v, err := strconv.ParseFloat(c, 64)
		if err != nil || v-v != 0 {
			return nil, fmt.Errorf("row %d: %q is not a number", i+1, c)
		}
		values[i] = v
	}
	return values, nil
}

func crossentropy(l train.Loss) bool {
	switch l.Name {
	case train.BinaryCrossentropy, train.CategoricalCrossentropy, train.SparseCategoricalCrossentropy:
		return true
	default:
		return false
	}
}

// standardize scales a table's or a base's features, and a regression's target, by the figures of the samples that are trained
// on. A base's features are shifted each by its mean, but all scaled by one number: how far a feature varies says how much it
// tells, and one scale makes a penalty mean the same on every base.
func (d *data) standardize(held []int32) error {
	if d.input.columns == nil && !d.input.features {
		return nil
	}
	out := make([]bool, d.training.Samples())
	for _, i := range held {
		out[i] = true
	}
	x, err := tensor.Data[float32](d.training.X)
	if err != nil {
		return err
	}
	d.input.table = measure(x, d.training.Features(), out)
	if d.input.features {
		d.input.table.pool()
	}
	d.input.table.apply(x)
	for _, further := range []*train.Dataset{d.validation, d.test} {
		if further == nil {
			continue
		}
		if x, err = tensor.Data[float32](further.X); err != nil {
			return err
		}
		d.input.table.apply(x)
	}
	if d.classes == nil {
		y, err := tensor.Data[float32](d.training.Y)
		if err != nil {
			return err
		}
		d.target = measure(y, 1, out)
		d.target.apply(y)
	}
	return nil
}

// measure returns the mean and the deviation of each column over the rows that are not left out.
func measure(x []float32, columns int, out []bool) standard {
	s := standard{Mean: make([]float64, columns), Deviation: make([]float64, columns)}
	rows := 0.0
	for r, o := range out {
		if !o {
			rows++
			for c := range columns {
				s.Mean[c] += float64(x[r*columns+c])
			}
		}
	}
	for c := range columns {
		s.Mean[c] /= rows
	}
	for r, o := range out {
		for c := range columns {
			if d := float64(x[r*columns+c]) - s.Mean[c]; !o {
				s.Deviation[c] += d * d / rows
			}
		}
	}
	for c := range columns {
		if s.Deviation[c] = math.Sqrt(s.Deviation[c]); s.Deviation[c] == 0 {
			s.Deviation[c] = 1 // a constant column
		}
	}
	return s
}

// pool gives all columns one deviation, the root of their mean variance.
func (s standard) pool() {
	variance := 0.0
	for _, d := range s.Deviation {
		if d != 1 { // of a constant column
			variance += d * d / float64(len(s.Deviation))
		}
	}
	pooled := math.Sqrt(variance)
	if pooled == 0 {
		pooled = 1
	}
	for i := range s.Deviation {
		s.Deviation[i] = pooled
	}
}

// apply scales rows in place.
func (s standard) apply(x []float32) {
	for i := range x {
		c := i % len(s.Mean)
		x[i] = float32((float64(x[i]) - s.Mean[c]) / s.Deviation[c])
	}
}
