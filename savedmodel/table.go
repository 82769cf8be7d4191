package savedmodel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A sorted table, as LevelDB writes it and TensorFlow keeps in variables.index (tensorflow/core/lib/io/table_format.txt):
//
//	table  = data block … metaindex block, index block, footer
//	block  = entry … , restart offset (uint32) … , number of restarts (uint32), compression (1 byte), masked CRC-32C (uint32)
//	entry  = bytes shared with the key before, bytes of its own, bytes of the value (varints), rest of the key, value
//	footer = handle of the metaindex block, handle of the index block, zeros up to 40 bytes, magic number
//	handle = offset, size (varints)
//
// In the index block a value is the handle of a data block and a key is not smaller than that block's keys.
const (
	tableMagic   = 0xdb4775248b80fb57
	footerSize   = 48
	trailerSize  = 5 // compression and checksum behind a block
	blockSize    = 256 << 10
	restartEvery = 16

	noCompression     = 0
	snappyCompression = 1

	// maxExpansion bounds what shared key prefixes can blow up: the keys together, as a multiple of the file.
	maxExpansion = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskCRC turns a CRC-32C into the form that is stored, so that a checksum of data with checksums is not weak
// (tensorflow/core/lib/hash/crc32c.h).
func maskCRC(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }

type tableEntry struct {
	key   string
	value []byte
}

// readTable returns the entries of a table in the order of their keys.
func readTable(data []byte) ([]tableEntry, error) {
	if len(data) < footerSize {
		return nil, fmt.Errorf("%w: %d bytes are too few for a table", ErrMalformed, len(data))
	}
	footer := data[len(data)-footerSize:]
	if binary.LittleEndian.Uint64(footer[footerSize-8:]) != tableMagic {
		return nil, fmt.Errorf("%w: the table does not end with its magic number; the file may be truncated", ErrMalformed)
	}
	_, rest, err := blockHandle(footer)
	if err != nil {
		return nil, err
	}
	handle, _, err := blockHandle(rest)
	if err != nil {
		return nil, err
	}
	t := tableReader{data: data, budget: maxExpansion * len(data)}
	index, err := t.block(handle)
	if err != nil {
		return nil, fmt.Errorf("index block: %w", err)
	}
	var entries []tableEntry
	for i, e := range index {
		handle, _, err := blockHandle(e.value)
		if err != nil {
			return nil, err
		}
		block, err := t.block(handle)
		if err != nil {
			return nil, fmt.Errorf("data block %d: %w", i, err)
		}
		entries = append(entries, block...)
	}
	for i := 1; i < len(entries); i++ {
		if entries[i-1].key >= entries[i].key {
			return nil, fmt.Errorf("%w: key %q follows %q", ErrMalformed, entries[i].key, entries[i-1].key)
		}
	}
	return entries, nil
}

// extent is where a block lies in the file.
type extent struct{ offset, size uint64 }

func blockHandle(b []byte) (extent, []byte, error) {
	offset, n := binary.Uvarint(b)
	if n > 0 {
		b = b[n:]
		var size uint64
		if size, n = binary.Uvarint(b); n > 0 {
			return extent{offset, size}, b[n:], nil
		}
	}
	return extent{}, nil, fmt.Errorf("%w: a block's place is damaged", ErrMalformed)
}

type tableReader struct {
	data   []byte
	budget int // bytes that keys may still take
}

// block returns the entries of the block at h.
func (t *tableReader) block(h extent) ([]tableEntry, error) {
	size := uint64(len(t.data))
	if h.offset > size || h.size > size-h.offset || size-h.offset-h.size < trailerSize {
		return nil, fmt.Errorf("%w: a block of %d bytes at %d in a file of %d", ErrMalformed, h.size, h.offset, size)
	}
	end := h.offset + h.size
	block, trailer := t.data[h.offset:end:end], t.data[end:end+trailerSize]
	if binary.LittleEndian.Uint32(trailer[1:]) != maskCRC(crc32.Checksum(t.data[h.offset:end+1], castagnoli)) {
		return nil, fmt.Errorf("%w: the checksum of the block at %d does not match", ErrMalformed, h.offset)
	}
	switch trailer[0] {
	case noCompression:
	case snappyCompression:
		var err error
		if block, err = decodeSnappy(block); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: the block at %d is compressed in a way (%d) that TensorFlow does not write", ErrMalformed, h.offset, trailer[0])
	}
	return t.entries(block)
}

func (t *tableReader) entries(block []byte) ([]tableEntry, error) {
	damaged := fmt.Errorf("%w: damaged block", ErrMalformed)
	if len(block) < 4 {
		return nil, damaged
	}
	restarts := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if restarts > uint64(len(block)-4)/4 {
		return nil, damaged
	}
	block = block[:len(block)-4-4*int(restarts)]
	var entries []tableEntry
	key := ""
	for len(block) > 0 {
		var sizes [3]uint64 // shared, own, value
		for i := range sizes {
			v, n := binary.Uvarint(block)
			if n <= 0 {
				return nil, damaged
			}
			sizes[i], block = v, block[n:]
		}
		left := uint64(len(block))
		if sizes[0] > uint64(len(key)) || sizes[1] > left || sizes[2] > left-sizes[1] {
			return nil, damaged
		}
		key = key[:sizes[0]] + string(block[:sizes[1]])
		if t.budget -= len(key); t.budget < 0 {
			return nil, fmt.Errorf("%w: the keys take more than %d times the file", ErrMalformed, maxExpansion)
		}
		end := sizes[1] + sizes[2]
		entries = append(entries, tableEntry{key, block[sizes[1]:end:end]})
		block = block[end:]
	}
	return entries, nil
}

// tableWriter builds a table in memory from entries added in the order of their keys.
type tableWriter struct {
	out   []byte
	block blockWriter
	index blockWriter
}

func (w *tableWriter) add(key string, value []byte) {
	w.block.add(key, value)
	if len(w.block.buf) >= blockSize {
		w.flush()
	}
}

// flush ends the data block and enters it in the index under its last key.
func (w *tableWriter) flush() {
	if w.block.entries == 0 {
		return
	}
	last := w.block.last
	w.index.add(last, w.write(&w.block))
}

// write appends a block and returns its handle.
func (w *tableWriter) write(b *blockWriter) []byte {
	offset := len(w.out)
	block := b.finish()
	w.out = append(w.out, block...)
	w.out = append(w.out, noCompression)
	w.out = binary.LittleEndian.AppendUint32(w.out, maskCRC(crc32.Checksum(w.out[offset:], castagnoli)))
	*b = blockWriter{}
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(offset)), uint64(len(block)))
}

// finish returns the table.
func (w *tableWriter) finish() []byte {
	w.flush()
	footer := w.write(&blockWriter{}) // the metaindex block is empty
	footer = append(footer, w.write(&w.index)...)
	footer = append(footer, make([]byte, footerSize-8-len(footer))...)
	return append(w.out, binary.LittleEndian.AppendUint64(footer, tableMagic)...)
}

type blockWriter struct {
	buf      []byte
	restarts []uint32
	entries  int
	last     string
}

func (b *blockWriter) add(key string, value []byte) {
	shared := 0
	if b.entries%restartEvery == 0 {
		b.restarts = append(b.restarts, uint32(len(b.buf)))
	} else {
		for shared < min(len(key), len(b.last)) && key[shared] == b.last[shared] {
			shared++
		}
	}
	for _, size := range []int{shared, len(key) - shared, len(value)} {
		b.buf = binary.AppendUvarint(b.buf, uint64(size))
	}
	b.buf = append(append(b.buf, key[shared:]...), value...)
	b.last = key
	b.entries++
}

func (b *blockWriter) finish() []byte {
	if len(b.restarts) == 0 {
		b.restarts = []uint32{0}
	}
	for _, r := range b.restarts {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, r)
	}
	return binary.LittleEndian.AppendUint32(b.buf, uint32(len(b.restarts)))
}
