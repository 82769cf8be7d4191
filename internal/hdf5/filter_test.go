package hdf5

import (
	"bytes"
	"compress/zlib"
	"testing"

	"github.com/stretchr/testify/require"
)

func deflate(t *testing.T, data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestFilterErrors(t *testing.T) {
	gzip, lzf, sum := filter{id: filterDeflate}, filter{id: filterLZF}, filter{id: filterFletcher32}
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 100)
	packed := deflate(t, data)
	tests := map[string]struct {
		filters []filter
		data    []byte
		says    string
	}{
		"a bomb":              {[]filter{gzip}, deflate(t, make([]byte, 1<<20)), "more than the 400 bytes"},
		"too short":           {[]filter{gzip}, deflate(t, data[:399]), "399 bytes, not 400"},
		"gzip cut":            {[]filter{gzip}, packed[:len(packed)-5], "gzip"},
		"gzip checksum":       {[]filter{gzip}, append(bytes.Clone(packed[:len(packed)-1]), 0), "gzip"},
		"no gzip":             {[]filter{gzip}, data, "gzip"},
		"nothing":             {[]filter{gzip}, nil, "gzip"},
		"fletcher32":          {[]filter{sum}, append(bytes.Clone(data), 1, 2, 3, 4), "wrong checksum"},
		"fletcher32 cut":      {[]filter{sum}, data[:3], "3 bytes"},
		"lzf before start":    {[]filter{lzf}, []byte{0, 7, 0x20, 9}, "from 10 back"},
		"lzf cut":             {[]filter{lzf}, []byte{5, 1}, "ends early"},
		"lzf bomb":            {[]filter{lzf}, bytes.Repeat([]byte{0xe0, 0xff, 0}, 9), "from 1 back at 0"},
		"lzf too many":        {[]filter{lzf}, append([]byte{0, 7}, bytes.Repeat([]byte{0xe0, 0xff, 0}, 9)...), "a copy of 264 bytes"},
		"without compression": {nil, data[:10], "10 bytes, not 400"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u := unfilterer{filters: test.filters}
			_, err := u.undo(test.data, 0, len(data))
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorContains(t, err, test.says)
		})
	}
}

// A bit of the mask says that a filter was not applied to this chunk.
func TestFilterMask(t *testing.T) {
	data := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	u := unfilterer{filters: []filter{{id: filterShuffle, values: []uint32{2}}, {id: filterDeflate}}}
	got, err := u.undo(data, 0b11, len(data))
	require.NoError(t, err)
	require.Equal(t, data, got)
	got, err = u.undo(data, 0b10, len(data))
	require.NoError(t, err)
	require.Equal(t, []byte{1, 5, 2, 6, 3, 7, 4, 8}, got)
	got, err = u.undo(deflate(t, data), 0b01, len(data))
	require.NoError(t, err)
	require.Equal(t, data, got)
}

func TestUndoShuffle(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 8} {
		elements := 5
		data := make([]byte, size*elements+size-1) // a rest is not shuffled
		shuffled := make([]byte, len(data))
		for i := range data {
			data[i] = byte(i)
			if i < size*elements {
				shuffled[i%size*elements+i/size] = byte(i)
			} else {
				shuffled[i] = byte(i)
			}
		}
		require.Equal(t, data, undoShuffle(make([]byte, len(data)), shuffled, size), "elements of %d bytes", size)
	}
}

// Known values: an empty message, and the driver's own test vector from
// burtleburtle.net/bob/c/lookup3.c (hashlittle with an initial value of 0).
func TestLookup3(t *testing.T) {
	require.Equal(t, uint32(0xdeadbeef), lookup3(nil))
	require.Equal(t, uint32(0x17770551), lookup3([]byte("Four score and seven years ago")))
}
