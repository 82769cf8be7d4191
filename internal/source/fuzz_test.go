package source

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// FuzzRead reads arbitrary bytes as each kind of file, for an input of any type and rank.
func FuzzRead(f *testing.F) {
	kinds := []string{".txt", ".npy", ".npz", ".json", ".csv", ".png", ".gif", ".bmp", ".jpg"}
	shapes := []tensor.Shape{nil, {}, {-1}, {-1, 1}, {-1, 784}, {-1, 5, 5, 3}, {-1, -1, -1, 1}}
	digit, err := os.ReadFile("../../scripts/testdata/mnist/digits/7_0.png")
	require.NoError(f, err)
	f.Add(digit, uint8(5), uint8(tensor.Float32), uint8(4))
	f.Add(digit, uint8(5), uint8(tensor.String), uint8(1))
	f.Add([]byte("a\r\n\xffb\n\n"), uint8(0), uint8(tensor.String), uint8(3))
	f.Add([]byte("x,y\n1,2\n"), uint8(4), uint8(tensor.Int64), uint8(3))
	f.Add([]byte("[[1.5], [NaN]]"), uint8(3), uint8(tensor.Float64), uint8(3))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, kind, dtype, shape uint8) {
		d := tensor.DType(dtype)
		port := graph.Port{Name: "x", DType: d, Shape: shapes[int(shape)%len(shapes)]}
		path := filepath.Join(dir, "x"+kinds[int(kind)%len(kinds)])
		require.NoError(t, os.WriteFile(path, data, 0o600))
		x, err := Read(path, port)
		if err == nil && d != tensor.Invalid {
			require.Equal(t, d, x.DType())
		}
	})
}

// FuzzLines: what is read, joined again, is what was there, but for the ends of lines.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "a", "a\n", "a\r\nb", "\n\n", "\ufeffa\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := readLines(bytes.NewReader(data))
		require.NoError(t, err)
		for _, l := range lines {
			require.NotContains(t, l, "\n")
		}
		again, err := readLines(strings.NewReader(strings.Join(append(lines, ""), "\n")))
		require.NoError(t, err)
		require.Len(t, again, len(lines))
	})
}

func FuzzParseArg(f *testing.F) {
	for _, s := range []string{"x=a.npy", "a=b.npy", "json:[1]", "x=json:[[1]]", "dir/a=b.npy", "=", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := ParseArg(s)
		if a.Name == "" {
			require.Equal(t, s, a.Spec)
		} else {
			require.Equal(t, s, a.Name+"="+a.Spec)
		}
	})
}
