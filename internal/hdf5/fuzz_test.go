package hdf5

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOpen: any bytes are a file or an error, even with the right checksums.
// What can be read can be written and read again.
func FuzzOpen(f *testing.F) {
	withoutChecksums(f)
	for _, name := range []string{"tiny_earliest.h5", "tiny_latest.h5", "links_latest.h5", "cycle.h5", "unsupported.h5"} {
		f.Add(testBytes(f, name))
	}
	f.Add([]byte(signature))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := openBytes(data)
		if err != nil || readEverything(file) != nil {
			return
		}
		var out bytes.Buffer
		root := NewGroup()
		if err := copyAttrs(file.Root(), root.SetAttr); err != nil {
			return // text that is not written: with NUL bytes
		}
		require.NoError(t, Write(&out, root))
		again, err := openBytes(out.Bytes())
		require.NoError(t, err)
		require.LessOrEqual(t, len(again.Root().Attrs()), len(file.Root().Attrs()))
	})
}

func withoutChecksums(t testing.TB) {
	verifyChecksums = false
	t.Cleanup(func() { verifyChecksums = true })
}

// FuzzChunkFilters: any bytes are a chunk or an error.
func FuzzChunkFilters(f *testing.F) {
	f.Add([]byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1}, byte(1), uint16(8))
	f.Add([]byte("\x04hello\x20\x04"), byte(2), uint16(8))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, byte(4), uint16(4))
	f.Fuzz(func(t *testing.T, data []byte, which byte, size uint16) {
		var filters []filter
		for i, id := range []uint16{filterDeflate, filterLZF, filterShuffle, filterFletcher32} {
			if which>>i&1 != 0 {
				filters = append(filters, filter{id: id, values: []uint32{uint32(which>>4) + 1}})
			}
		}
		u := unfilterer{filters: filters}
		for range 2 { // buffers are used again
			out, err := u.undo(data, 0, int(size))
			if err == nil {
				require.Len(t, out, int(size))
			}
		}
	})
}
