package tfevents

import (
	"encoding/binary"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// records splits an event file, checking both checksums.
func records(t *testing.T, data []byte) (list [][]byte) {
	t.Helper()
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		require.Equal(t, masked(data[:8]), binary.LittleEndian.Uint32(data[8:]))
		body := data[12 : 12+n]
		require.Equal(t, masked(body), binary.LittleEndian.Uint32(data[12+n:]))
		list, data = append(list, body), data[16+n:]
	}
	return list
}

func only(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	return names[0]
}

// The checksum of RFC 3720, B.4: 32 zero bytes give CRC-32C 8A9136AA, masked as TensorFlow does.
func TestMaskedChecksum(t *testing.T) {
	crc := uint32(0x8a9136aa)
	require.Equal(t, (crc>>15|crc<<17)+0xa282ead8, masked(make([]byte, 32)))
}

func TestWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	w, err := Create(dir)
	require.NoError(t, err)
	w.now = func() time.Time { return time.Unix(5, 5e8) }
	require.NoError(t, w.Scalar("loss", 3, 0.5))
	require.NoError(t, w.Flush())
	data, err := os.ReadFile(only(t, dir))
	require.NoError(t, err)
	list := records(t, data)
	require.Len(t, list, 2)
	require.True(t, strings.HasSuffix(string(list[0]), "\x1a\x0dbrain.Event:2"))
	require.Equal(t, "\x09\x00\x00\x00\x00\x00\x00\x16\x40"+ // wall_time 5.5
		"\x10\x03"+ // step 3
		"\x2a\x1a\x0a\x18"+ // summary, value
		"\x0a\x04loss"+"\x15\x00\x00\x00\x3f"+ // tag, simple_value 0.5
		"\x4a\x0b\x0a\x09\x0a\x07scalars", string(list[1]))
	require.NoError(t, w.Close())
	require.Error(t, w.Close(), "closed twice")
}

func TestCreateTwiceMakesTwoFiles(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		w, err := Create(dir)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, names, 2)
}

func TestCreateWhereAFileStands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := Create(path)
	require.Error(t, err)
}

// scripts/parity_tensorboard.py runs this and reads the files with TensorBoard.
func TestWriteForTensorBoard(t *testing.T) {
	dir := os.Getenv("CAMBIUM_EVENTS")
	if dir == "" {
		dir = t.TempDir()
	}
	w, err := Create(dir)
	require.NoError(t, err)
	for step := int64(1); step <= 5; step++ {
		require.NoError(t, w.Scalar("epoch_loss", step, 1/float64(step)))
	}
	var b strings.Builder
	require.NoError(t, png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 3, 2))))
	require.NoError(t, w.PNG("confusion", 5, []byte(b.String()), 3, 2))
	require.NoError(t, w.Text("hyperparameters", 0, "batch **32**"))
	require.NoError(t, w.Close())
}
