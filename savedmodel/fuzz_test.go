package savedmodel

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
)

// FuzzReadSavedModel parses saved_model.pb, binary or text, and does with what it finds all that needs no other file.
func FuzzReadSavedModel(f *testing.F) {
	for _, name := range []string{"counter", "table", "control_flow", "signatures", "tf1_table", "reaches_files"} {
		data, err := os.ReadFile(filepath.Join("../scripts/testdata/models", name, "saved_model", binaryFile))
		require.NoError(f, err)
		f.Add(data, false)
	}
	f.Add([]byte(`meta_graphs { meta_info_def { tags: "serve" } graph_def { node { name: "x" op: "Placeholder" } } signature_def { key: "s" } }`), true)
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		def, err := parseDef(data, text)
		if err != nil {
			return
		}
		for _, mg := range def.MetaGraphs {
			g, err := (&MetaGraph{Def: mg, dir: "none"}).Graph()
			if err != nil {
				continue
			}
			require.NoError(t, g.Check())
			g.Parameters()
			graph.Scan(g)
			_, _ = graph.RestoreMap(g)
			for _, s := range g.Signatures {
				if flat, err := graph.ForSignature(g, s.Name); err == nil {
					require.NoError(t, flat.Check())
				}
			}
		}
	})
}

// FuzzBundle reads a bundle in three ways, since checksums keep most damage from the inner parts: the bytes as an index, as one
// block of a table, compressed or not, and as the entry of a tensor in a sound index.
func FuzzBundle(f *testing.F) {
	for _, name := range []string{"one", "sliced", "sharded"} {
		index, err := os.ReadFile(filepath.Join("testdata/bundle", name+".index"))
		require.NoError(f, err)
		f.Add(index, []byte("data"))
		entries, err := readTable(index)
		require.NoError(f, err)
		data, err := os.ReadFile(dataFile(filepath.Join("testdata/bundle", "one"), 0, 1))
		require.NoError(f, err)
		for _, e := range entries {
			f.Add(e.value, data)
		}
		f.Add(index[:len(index)-footerSize-trailerSize], data)
	}
	f.Add([]byte("\x0a\x24abcdefghij\x15\x0a\x02\x04\x00"), []byte{}) // compressed by Snappy
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, index, data []byte) {
		if b, err := parseIndex(index); err == nil {
			b.prefix = filepath.Join(dir, "none")
			readAll(b)
		}
		r := tableReader{data: index, budget: maxExpansion * len(index)}
		_, _ = r.entries(index)
		if out, err := decodeSnappy(index); err == nil {
			require.LessOrEqual(t, len(out), snappyRatio*len(index))
		}
		header, err := proto.Marshal(&tfproto.BundleHeaderProto{NumShards: 1})
		require.NoError(t, err)
		w := tableWriter{}
		w.add("", header)
		w.add("t", index)
		b, err := parseIndex(w.finish())
		if err != nil {
			return
		}
		b.prefix = filepath.Join(dir, "b")
		require.NoError(t, os.WriteFile(dataFile(b.prefix, 0, 1), data, 0o600))
		readAll(b)
		if e := b.entries["t"]; e.GetSize() == int64(len(data)) && e.GetOffset() == 0 { // past the checksum
			_, _ = b.readStrings(bytes.NewReader(data), e, int(min(int64(len(data)), 3)), []int{int(min(int64(len(data)), 3))})
		}
	})
}

func readAll(b *Bundle) {
	for _, key := range b.Keys() {
		_, _ = b.Read(key)
		_, _ = b.ReadSlice(key, "20 10 0,7:-")
	}
}

// FuzzSlice reads what TensorFlow 1 writes of a part of a variable; what is accepted lies inside of the shape.
func FuzzSlice(f *testing.F) {
	for _, s := range []string{"10 20 0,5:-", "-", "3 0,3", "2 2 -:-", "10 11,1", "10 -1,1", "9223372036854775807 1,9223372036854775807", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		shape, slice, err := parseSlice(spec)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		part := slice.shape()
		require.Len(t, part, len(shape))
		for i, r := range slice {
			require.LessOrEqual(t, r.Start, shape[i])
			require.LessOrEqual(t, r.Length, shape[i]-r.Start)
			require.Equal(t, r.Length, part[i])
		}
	})
}

// FuzzKerasMetadata looks for a version in damaged keras_metadata.pb.
func FuzzKerasMetadata(f *testing.F) {
	f.Add([]byte("\x0a\x1a\x2a\x18{\"keras_version\": \"2.4\"}"))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.LessOrEqual(t, len(metadataVersion(data)), 3*len(data)) // a byte that is no UTF-8 becomes three
	})
}

// What Snappy's own format description gives as its elements.
func TestSnappy(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 10)
	for name, test := range map[string]struct{ in, want []byte }{
		"nothing":                    {[]byte{0}, nil},
		"literal":                    {[]byte("\x03\x08abc"), []byte("abc")},
		"literal, one length byte":   {append([]byte{100, 60 << 2, 99}, long...), long},
		"literal, two length bytes":  {append([]byte{100, 61 << 2, 99, 0}, long...), long},
		"copy, one offset byte":      {[]byte("\x07\x08abc\x01\x03"), []byte("abcabca")},
		"copy, two offset bytes":     {[]byte("\x09\x08abc\x16\x03\x00"), []byte("abcabcabc")},
		"copy, four offset bytes":    {[]byte("\x05\x08abc\x07\x01\x00\x00\x00"), []byte("abccc")},
		"a run of what was just set": {append([]byte{100, 0, 'x'}, []byte{62<<2 | 2, 1, 0, 35<<2 | 2, 1, 0}...), bytes.Repeat([]byte("x"), 100)},
	} {
		got, err := decodeSnappy(test.in)
		require.NoError(t, err, name)
		require.Equal(t, string(test.want), string(got), name)
	}
	for name, in := range map[string]string{
		"empty": "", "too long": "\x04\x08abc", "too short": "\x02\x08abc", "offset 0": "\x07\x08abc\x01\x00",
		"offset before the start": "\x07\x08abc\x01\x04", "ends in a literal": "\x03\x08ab", "ends in a copy": "\x09\x08abc\x16\x03",
		"a size that it cannot have": "\xff\xff\xff\xff\x0f\x00x", "length bytes missing": "\x64\xf4\x63",
	} {
		_, err := decodeSnappy([]byte(in))
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}
