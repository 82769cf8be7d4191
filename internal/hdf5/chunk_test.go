package hdf5

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChunkGrid(t *testing.T) {
	g := newChunkGrid([]uint64{4, 5}, []uint64{2, 2})
	require.Equal(t, uint64(6), g.total)
	at := make([]uint64, 2)
	for index := range g.total {
		g.coordinates(at, index)
		back, ok := g.indexAt(at)
		require.True(t, ok)
		require.Equal(t, index, back)
		require.Equal(t, at[1] == 2, g.sticksOut(index), "chunk %v", at)
	}
	_, ok := g.indexAt([]uint64{0, 3})
	require.False(t, ok)
}

// Chunks put back together give the array, whatever their shape.
func TestScatter(t *testing.T) {
	for _, chunk := range [][]uint64{{1, 1, 1}, {2, 3, 4}, {2, 5, 4}, {1, 2, 6}, {3, 5, 6}, {4, 9, 7}} {
		shape := []uint64{3, 5, 6}
		const size = 2
		want := make([]byte, 3*5*6*size)
		for i := range want {
			want[i] = byte(i)
		}
		g := newChunkGrid(shape, chunk)
		got, at := make([]byte, len(want)), make([]uint64, 3)
		for index := range g.total {
			g.coordinates(at, index)
			data := make([]byte, chunk[0]*chunk[1]*chunk[2]*size)
			for i := range data {
				element := uint64(i / size)
				z, y, x := at[0]*chunk[0]+element/(chunk[1]*chunk[2]), at[1]*chunk[1]+element/chunk[2]%chunk[1], at[2]*chunk[2]+element%chunk[2]
				if z < 3 && y < 5 && x < 6 {
					data[i] = want[((z*5+y)*6+x)*size+uint64(i%size)]
				}
			}
			g.scatter(got, data, index, size)
		}
		require.Equal(t, want, got, "chunks of shape %v", chunk)
	}
}
