package tfevents

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is TFRecord's checksum: a CRC-32C rotated by 15 bits, plus a constant, so that the checksum of data that holds
// checksums is a good one (tensorflow/core/lib/hash/crc32c.h).
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// writeRecord writes one TFRecord.
func writeRecord(w io.Writer, data []byte) error {
	frame := binary.LittleEndian.AppendUint64(make([]byte, 0, len(data)+16), uint64(len(data)))
	frame = binary.LittleEndian.AppendUint32(frame, masked(frame))
	frame = append(frame, data...)
	frame = binary.LittleEndian.AppendUint32(frame, masked(data))
	_, err := w.Write(frame)
	return err
}

// The wire types of protocol buffers that these messages use.
const (
	varint  = 0
	fixed64 = 1
	bytes   = 2
	fixed32 = 5
)

func appendTag(b []byte, field, wire uint64) []byte { return binary.AppendUvarint(b, field<<3|wire) }

func appendVarint(b []byte, field uint64, v int64) []byte {
	return binary.AppendUvarint(appendTag(b, field, varint), uint64(v))
}

func appendDouble(b []byte, field uint64, v float64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(b, field, fixed64), math.Float64bits(v))
}

func appendFloat(b []byte, field uint64, v float32) []byte {
	return binary.LittleEndian.AppendUint32(appendTag(b, field, fixed32), math.Float32bits(v))
}

func appendBytes[T string | []byte](b []byte, field uint64, v T) []byte {
	return append(binary.AppendUvarint(appendTag(b, field, bytes), uint64(len(v))), v...)
}
