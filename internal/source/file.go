package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// maxText is the longest line of a .txt file.
const maxText = 16 << 20

// open calls read on the file at path and puts the path into an error that does not have it yet.
func open(path string, read func(f *os.File) (*tensor.Tensor, error)) (*tensor.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	t, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func readNPY(path string) (*tensor.Tensor, error) {
	return open(path, func(f *os.File) (*tensor.Tensor, error) { return tensor.ReadNPY(f) })
}

// readNPZ reads one array of an archive: the one named key, or the only one.
func readNPZ(path, key string) (*tensor.Tensor, error) {
	return open(path, func(f *os.File) (*tensor.Tensor, error) {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		var names []string
		if key != "" {
			names = []string{key}
		}
		arrays, err := tensor.ReadNPZ(f, info.Size(), names...)
		if err != nil {
			return nil, err
		}
		if len(arrays) != 1 {
			found := make([]string, len(arrays))
			for i, a := range arrays {
				found[i] = a.Name
			}
			return nil, fmt.Errorf("%w: the archive holds %d arrays (%s); name one: %s:NAME", ErrSource, len(arrays), strings.Join(found, ", "), path)
		}
		return arrays[0].Tensor, nil
	})
}

func readJSON(path string, port graph.Port) (*tensor.Tensor, error) {
	return open(path, func(f *os.File) (*tensor.Tensor, error) { return tensor.ReadJSON(bufio.NewReader(f), port.DType) })
}

// readCSV reads a table, [rows, columns]; a single column fits a vector too.
func readCSV(path string, port graph.Port) (*tensor.Tensor, error) {
	return open(path, func(f *os.File) (*tensor.Tensor, error) {
		t, _, err := tensor.ReadCSV(bufio.NewReader(f), port.DType)
		if err == nil && len(port.Shape) == 1 && t.Rank() == 2 && t.Shape()[1] == 1 {
			return t.Reshape(t.Shape()[0])
		}
		return t, err
	})
}

// readText reads one string a line, [lines], or [lines, 1] where the port is a matrix.
func readText(path string, port graph.Port) (*tensor.Tensor, error) {
	return open(path, func(f *os.File) (*tensor.Tensor, error) {
		lines, err := readLines(f)
		if err != nil {
			return nil, err
		}
		if len(port.Shape) == 2 {
			return tensor.Of(lines, len(lines), 1)
		}
		return tensor.Of(lines)
	})
}

// Lines reads a text file's lines, without their ends and without a byte-order mark; a last empty line does not count.
func Lines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines, err := readLines(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

func readLines(r io.Reader) ([]string, error) {
	lines := []string{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxText)
	for s.Scan() {
		line := strings.TrimSuffix(s.Text(), "\r")
		if len(lines) == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		lines = append(lines, line)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: line %d is longer than %d MiB", ErrSource, len(lines)+1, maxText>>20)
	}
	return lines, s.Err()
}
