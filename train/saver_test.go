package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func numbered(n int) []tensor.Named {
	return []tensor.Named{{Name: "n", Tensor: tensor.Must(tensor.Of([]int32{int32(n)}))}, {Name: "rest", Tensor: tensor.Must(tensor.New(tensor.Float32, 10000))}}
}

// However fast checkpoints come, the file is the last or the one before, and the last at the end.
func TestSaver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.npz")
	s, before := newSaver(path), 0
	for i := range 300 {
		require.NoError(t, s.put(numbered(i)))
		arrays, err := readArrays(path)
		if i > 0 {
			require.NoError(t, err)
		}
		if err == nil {
			n, err := tensor.Data[int32](arrays["n"])
			require.NoError(t, err)
			require.GreaterOrEqual(t, int(n[0]), before)
			require.LessOrEqual(t, int(n[0]), i)
			before = int(n[0])
			require.GreaterOrEqual(t, before, i-1, "no more than one is lost")
		}
	}
	require.NoError(t, s.close())
	arrays, err := readArrays(path)
	require.NoError(t, err)
	n, err := tensor.Data[int32](arrays["n"])
	require.NoError(t, err)
	require.Equal(t, []int32{299}, n)
}

func TestSaverThatCannotWrite(t *testing.T) {
	s := newSaver(filepath.Join(t.TempDir(), "missing", "c.npz"))
	require.NoError(t, s.put(numbered(1)))
	<-s.ended
	require.ErrorIs(t, s.put(numbered(2)), os.ErrNotExist)
	require.NoError(t, s.close(), "it has been told")

	s = newSaver(filepath.Join(t.TempDir(), "missing", "c.npz"))
	require.NoError(t, s.put(numbered(1)))
	require.ErrorIs(t, s.close(), os.ErrNotExist)
	require.NoError(t, newSaver("nowhere").close(), "nothing was put")
}
