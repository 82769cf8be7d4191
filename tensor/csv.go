package tensor

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadCSV reads comma-separated values as a tensor [rows, columns] of the given element type, as ReadJSON does, or with
// Invalid of the narrowest of bool, int64 (uint64), float64, complex128 and object that holds them all. If a value of the first
// line is no number (and the type given is not String), the line is taken for the header and returned. Empty lines are
// skipped, spaces around values too; quotes are those of RFC 4180.
func ReadCSV(r io.Reader, d DType) (t *Tensor, header []string, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	rows, columns, kind := 0, 0, noText
	err = eachCSVRow(text, func(_ int, values []string) error {
		if columns == 0 {
			columns = len(values)
			if d != String && hasWords(values) {
				header = append([]string{}, values...)
				return nil
			}
		}
		rows++
		for _, v := range values {
			kind = max(kind, kindOfText(strings.TrimSpace(v)))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if rows == 0 && header == nil {
		return nil, nil, fmt.Errorf("%w: CSV: there is no line in it", ErrFormat)
	}
	if d == Invalid {
		d = kind.dtype()
	}
	if t, err = New(d, rows, columns); err != nil {
		return nil, nil, err
	}
	at := 0
	if header != nil {
		at = -columns
	}
	err = eachCSVRow(text, func(line int, values []string) error {
		for c, v := range values {
			if d != String {
				v = strings.TrimSpace(v)
			}
			if at >= 0 {
				if err := t.setText(at, v); err != nil {
					return fmt.Errorf("CSV line %d, column %d: %w", line, c+1, err)
				}
			}
			at++
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return t, header, nil
}

// hasWords reports whether a line has a value that is neither a number nor a bool.
func hasWords(values []string) bool {
	for _, v := range values {
		if kindOfText(strings.TrimSpace(v)) == stringText {
			return true
		}
	}
	return false
}

// eachCSVRow calls row with each line's number and values; all lines have as many values as the first.
func eachCSVRow(text []byte, row func(line int, values []string) error) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord, r.TrimLeadingSpace = true, true
	for {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if errors.Is(err, csv.ErrFieldCount) {
				return fmt.Errorf("%w: CSV: %w", ErrShape, err)
			}
			return fmt.Errorf("%w: CSV: %w", ErrFormat, err)
		}
		line, _ := r.FieldPos(0)
		if err := row(line, values); err != nil {
			return err
		}
	}
}

// WriteCSV writes t as comma-separated values, after the header if there is one: a line for each of the first dimension,
// the other dimensions side by side ([2,3,4] becomes 2 lines of 12 values; a vector one value a line; a scalar one value).
// Floats have the fewest digits that ReadCSV reads back to the same number.
func WriteCSV(w io.Writer, t *Tensor, header ...string) error {
	if t.DType() == Invalid {
		return fmt.Errorf("%w: no tensor to write", ErrDType)
	}
	rows := 1
	if len(t.shape) > 0 {
		rows = t.shape[0]
	}
	columns := t.Len() / max(rows, 1)
	if len(header) > 0 && rows > 0 && len(header) != columns {
		return fmt.Errorf("%w: %d names for %d columns", ErrShape, len(header), columns)
	}
	buffer := bufio.NewWriter(w)
	c := csv.NewWriter(buffer)
	if len(header) > 0 {
		if err := c.Write(header); err != nil {
			return err
		}
	}
	values := make([]string, columns)
	for r := range rows {
		for i := range values {
			values[i] = t.text(r*columns + i)
		}
		if columns == 1 && values[0] == "" { // csv.Writer would leave the line empty, and readers would skip it
			c.Flush()
			_, _ = buffer.WriteString("\"\"\n") // Flush returns its error
			continue
		}
		if err := c.Write(values); err != nil {
			return err
		}
	}
	c.Flush()
	return errors.Join(c.Error(), buffer.Flush())
}
