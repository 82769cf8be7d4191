package savedmodel

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// WriteBundle writes tensors as a tensor bundle: PREFIX.data-00000-of-00001 and PREFIX.index. The directory must exist. Each
// of the two files is replaced as a whole, the index last.
func WriteBundle(prefix string, tensors map[string]*tensor.Tensor) error {
	return writeBundle(prefix, tensors, binary.LittleEndian)
}

func writeBundle(prefix string, tensors map[string]*tensor.Tensor, order binary.ByteOrder) error {
	header := &tfproto.BundleHeaderProto{NumShards: 1, Version: &tfproto.VersionDef{Producer: 1}}
	if order == binary.BigEndian {
		header.Endianness = tfproto.BigEndian
	}
	index := tableWriter{}
	if err := addMessage(&index, "", header); err != nil {
		return err
	}
	err := atomicfile.Write(dataFile(prefix, 0, 1), func(w io.Writer) error {
		offset := int64(0)
		for _, key := range slices.Sorted(maps.Keys(tensors)) {
			t := tensors[key]
			if key == "" || strings.HasPrefix(key, sliceKeyPrefix) || t.DType() == tensor.Invalid {
				return fmt.Errorf("%w: %v cannot be saved under the key %q", ErrMalformed, t, key)
			}
			size, crc, err := writeTensor(w, t, order)
			if err != nil {
				return err
			}
			entry := &tfproto.BundleEntryProto{Dtype: tfproto.DataType(t.DType()), Shape: graph.ShapeProto(t.Shape()), Offset: offset, Size: size, Crc32C: maskCRC(crc)}
			if err := addMessage(&index, key, entry); err != nil {
				return err
			}
			offset += size
		}
		return nil
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(prefix+".index", func(w io.Writer) error {
		_, err := w.Write(index.finish())
		return err
	})
}

func addMessage(w *tableWriter, key string, m proto.Message) error {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	w.add(key, value)
	return nil
}

// writeTensor writes the elements and returns how many bytes they took and their checksum.
func writeTensor(w io.Writer, t *tensor.Tensor, order binary.ByteOrder) (int64, uint32, error) {
	if t.DType() == tensor.String {
		return writeStrings(w, t, order)
	}
	if foreign(order) {
		t = t.Clone()
		swapBytes(t)
	}
	_, err := w.Write(t.Bytes())
	return int64(len(t.Bytes())), crc32.Checksum(t.Bytes(), castagnoli), err
}

// writeStrings writes what readStrings reads.
func writeStrings(w io.Writer, t *tensor.Tensor, order binary.ByteOrder) (int64, uint32, error) {
	s, err := tensor.Data[string](t)
	if err != nil {
		return 0, 0, err
	}
	var lengths []byte
	crc := uint32(0)
	for _, x := range s {
		lengths = binary.AppendUvarint(lengths, uint64(len(x)))
		crc = updateLength(crc, uint64(len(x)), order)
	}
	checksum := make([]byte, 4)
	order.PutUint32(checksum, maskCRC(crc))
	crc = crc32.Update(crc, castagnoli, checksum)
	b := bufio.NewWriter(w) // it remembers the first error
	_, _ = b.Write(lengths)
	_, _ = b.Write(checksum)
	size := int64(len(lengths) + len(checksum))
	for _, x := range s {
		_, _ = b.WriteString(x)
		crc = crc32.Update(crc, castagnoli, []byte(x))
		size += int64(len(x))
	}
	return size, crc, b.Flush()
}

// foreign reports whether the machine has the other byte order.
func foreign(order binary.ByteOrder) bool {
	one := []byte{1, 0}
	return order.Uint16(one) != binary.NativeEndian.Uint16(one)
}
