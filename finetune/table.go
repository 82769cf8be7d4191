package finetune

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	in, columns, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	at, err := targetColumn(columns, target)
	if err != nil {
		return nil, err
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
		line, _ := in.FieldPos(0)
		for c, cell := range record {
			cell = strings.TrimSpace(cell)
			if c == at {
				if err := checkLabel(cell); err != nil {
					return nil, fmt.Errorf("%w: line %d, column %q: %w", ErrData, line, columns[c], err)
				}
				raw = append(raw, strings.Clone(cell))
				continue
			}
			v, err := number(cell)
			if err != nil {
				return nil, fmt.Errorf("%w: line %d, column %q: %w (the label is column %q)", ErrData, line, columns[c], err, columns[at])
			}
			features = append(features, v)
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

// number returns a feature's cell as a number. The error says what to do about one that is none.
func number(cell string) (float32, error) {
	v, err := strconv.ParseFloat(cell, 32)
	if err == nil && v-v == 0 {
		return float32(v), nil
	}
	if math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is too large; give the column in another unit", cell)
	}
	if _, comma := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 32); err != nil && comma == nil {
		return 0, fmt.Errorf("%q is not a number; its decimals must come after a point", cell)
	}
	switch strings.ToLower(cell) {
	case "", "nan", "na", "n/a", "null", "none", "?", "-":
		return 0, fmt.Errorf("%q is not a number; fill in the missing ones, with the column's median for example, or leave the rows out", cell)
	}
	return 0, fmt.Errorf("%q is not a number; make numbers of text first, such as a column of 0 and 1 for each value (pandas.get_dummies)", cell)
}

// readHeader returns the columns' names and a reader of the rows below them. Cells are parted by what the header has most of: commas,
// semicolons or tabs.
func readHeader(r io.Reader) (*csv.Reader, []string, error) {
	text := bufio.NewReaderSize(r, 1<<16)
	start, _ := text.Peek(1 << 16) // an error comes again with the first record
	switch {
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, nil, fmt.Errorf("%w: it is UTF-16; save it as UTF-8", ErrData)
	case bytes.HasPrefix(start, []byte("\ufeff")): // a byte-order mark
		_, _ = text.Discard(len("\ufeff"))
	}
	in := csv.NewReader(text)
	in.ReuseRecord = true
	in.Comma = separator(start)
	in.TrimLeadingSpace = in.Comma != '\t' // an empty cell before a tab is no space
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w: it is empty; a header and rows are expected", ErrData)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: no header: %w", ErrData, err)
	}
	columns := make([]string, len(header))
	for i, name := range header {
		if columns[i] = strings.TrimSpace(name); !utf8.ValidString(name) {
			return nil, nil, fmt.Errorf("%w: the name of column %d, %q, is not UTF-8; save the file as UTF-8", ErrData, i+1, name)
		}
	}
	if len(columns) < 2 {
		return nil, nil, fmt.Errorf("%w: one column only, %q: a label and a feature at least are needed", ErrData, columns[0])
	}
	if isRow(columns) {
		return nil, nil, fmt.Errorf("%w: the first line holds numbers, %v, where the columns' names are expected: put a header above it", ErrData, shortened(columns))
	}
	return in, columns, nil
}

// separator returns what the first line has most of, outside of quotes.
func separator(text []byte) rune {
	count, quoted := map[byte]int{}, false
	for _, c := range bytes.TrimLeft(text, "\r\n") {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t") {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

// isRow says that a header is none, but a row of numbers and perhaps a label: numbers with a fraction, or one of them twice, are no
// names.
func isRow(cells []string) bool {
	odd, numbers, seen := false, 0, map[float64]bool{}
	for _, cell := range cells {
		if v, err := strconv.ParseFloat(cell, 64); err == nil {
			odd = odd || seen[v] || v != math.Trunc(v)
			seen[v] = true
			numbers++
		}
	}
	return odd && numbers >= len(cells)-1
}

func shortened(cells []string) []string { return cells[:min(len(cells), 5)] }

// targetColumn returns the place of the label's column.
func targetColumn(columns []string, target string) (int, error) {
	if target == "" {
		return len(columns) - 1, nil
	}
	at := slices.Index(columns, target)
	if at < 0 {
		return 0, fmt.Errorf("%w: no column %q; the columns are %q", ErrOption, target, columns)
	}
	if slices.Contains(columns[at+1:], target) {
		return 0, fmt.Errorf("%w: two columns are called %q", ErrData, target)
	}
	return at, nil
}

func checkLabel(cell string) error {
	if cell == "" {
		return errors.New("an empty label")
	}
	if strings.ContainsAny(cell, "\r\n") {
		return fmt.Errorf("the label %q has a line break, and labels.txt has one a line", cell)
	}
	if !utf8.ValidString(cell) {
		return fmt.Errorf("the label %q is not UTF-8; save the file as UTF-8", cell)
	}
	return nil
}

// setTarget makes classes or numbers of the label column.
func (d *data) setTarget(raw []string, column, loss string) error {
	numbers, err := numbersOf(raw)
	if err == nil {
		respell(raw, numbers)
	}
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
	if err != nil && (regression || loss == "" && quantity(raw)) {
		return fmt.Errorf("%w: column %q, the target of a regression: %w", ErrData, column, err)
	}
	if regression {
		if len(classes) == 1 && len(raw) > 1 {
			return fmt.Errorf("%w: column %q, the target of a regression, is %s in every row: there is nothing to learn", ErrData, column, classes[0])
		}
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
			return cmp.Compare(x, y)
		})
	}
	index := map[string]int32{}
	for i, c := range classes {
		index[c] = int32(i)
	}
	l := make([]int32, len(raw))
	for i, c := range raw {
		l[i] = index[c]
	}
	d.classes, d.training.Y = classes, vector(l)
	return nil
}

// quantity reports whether a target column whose cells are not all numbers is one of numbers nevertheless: nearly all are, and too many
// different ones for classes.
func quantity(cells []string) bool {
	numbers, different := 0, map[float64]bool{}
	for _, c := range cells {
		if v, err := strconv.ParseFloat(c, 32); err == nil && v-v == 0 {
			numbers++
			different[v] = true
		}
	}
	return numbers*10 >= len(cells)*9 && len(different) > mostNumberClasses
}

// respell gives cells of the same number the same text, the shortest: 1 and 1.0 are one class.
func respell(cells []string, numbers []float64) {
	text := map[float64]string{}
	for i, v := range numbers {
		if t, ok := text[v]; !ok || len(cells[i]) < len(t) {
			text[v] = cells[i]
		}
	}
	for i, v := range numbers {
		cells[i] = text[v]
	}
}

func numbersOf(cells []string) ([]float64, error) {
	values := make([]float64, len(cells))
	for i, c := range cells {
		v, err := strconv.ParseFloat(c, 32) // what it is trained on
		if err == nil {
			v, err = strconv.ParseFloat(c, 64)
		}
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
		if !d.input.table.pool() {
			return fmt.Errorf("%w: the base gives all images the same features (standard deviation %.1g): are its weights, --preprocess and --layer right?",
				ErrData, d.input.table.Deviation[0])
		}
	} else if err := d.input.table.check(d.input.columns); err != nil {
		return err
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

// measure returns the mean and the deviation of each column over the rows that are not left out: as float32, since the exported model
// scales by these, and mean 100,000 with deviation 1 must not be rounded there only.
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
		s.Mean[c] = float64(float32(s.Mean[c]))
		if s.Deviation[c] = math.Sqrt(s.Deviation[c]); s.Deviation[c] == 0 {
			s.Deviation[c] = 1 // a constant column
		}
	}
	return s
}

// leastDeviation is the one that Keras's Normalization, which an exported model scales with, puts in the place of any below;
// mostDeviation is where a variance is no float32 any more.
const leastDeviation, mostDeviation = 1e-7, 1.8e19

// check returns an error for a column that the exported model could not scale.
func (s standard) check(columns []string) error {
	for c, d := range s.Deviation {
		if d < leastDeviation || d > mostDeviation {
			return fmt.Errorf("%w: column %q has a standard deviation of %.2g, and columns are scaled for %v to %v: give it in another unit", ErrData,
				columns[c], d, leastDeviation, mostDeviation)
		}
	}
	return nil
}

// pool gives all columns one deviation, the root of their mean variance. It returns whether that is enough to tell samples apart.
func (s standard) pool() bool {
	variance := 0.0
	for _, d := range s.Deviation {
		if d != 1 { // of a constant column
			variance += d * d / float64(len(s.Deviation))
		}
	}
	pooled := math.Sqrt(variance)
	for i := range s.Deviation {
		s.Deviation[i] = pooled
	}
	return pooled >= leastDeviation
}

// apply scales rows in place.
func (s standard) apply(x []float32) {
	for i := range x {
		c := i % len(s.Mean)
		x[i] = float32((float64(x[i]) - s.Mean[c]) / s.Deviation[c])
	}
}
