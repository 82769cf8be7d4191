package finetune

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// featureCache keeps the features of images on disk, by content: one file a base and preprocessing, one record an image.
//
//	record: SHA-256 of the image (32 bytes) | features, float32 little-endian | CRC-32C of both
//
// Records are only appended. One that a crash cut off, and all behind it, are dropped when the file is opened.
type featureCache struct {
	width int
	mu    sync.Mutex
	file  *os.File
	known map[[sha256.Size]byte][]float32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openFeatureCache opens the cache of a key in dir, which is made if it is not there.
func openFeatureCache(dir, key string, width int) (*featureCache, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("feature cache: %w", err)
	}
	path := filepath.Join(dir, key+".features")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("feature cache: %w", err)
	}
	c := &featureCache{width: width, file: f, known: map[[sha256.Size]byte][]float32{}}
	if err := c.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("feature cache %s: %w", path, err), f.Close())
	}
	return c, nil
}

func (c *featureCache) recordSize() int { return sha256.Size + 4*c.width + 4 }

// read reads all whole records and cuts off what follows them.
func (c *featureCache) read() error {
	r, record, at := bufio.NewReaderSize(c.file, 1<<20), make([]byte, c.recordSize()), int64(0)
	for {
		if _, err := io.ReadFull(r, record); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return err
		}
		body := record[:len(record)-4]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(record[len(body):]) {
			break
		}
		features := make([]float32, c.width)
		for i := range features {
			features[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[sha256.Size+4*i:]))
		}
		c.known[[sha256.Size]byte(body[:sha256.Size])] = features
		at += int64(len(record))
	}
	if err := c.file.Truncate(at); err != nil {
		return err
	}
	_, err := c.file.Seek(at, io.SeekStart)
	return err
}

// get returns the features of an image, nil if they are not known.
func (c *featureCache) get(image [sha256.Size]byte) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[image]
}

// put keeps the features of images.
func (c *featureCache) put(images [][sha256.Size]byte, features [][]float32) error {
	var records bytes.Buffer
	for i, image := range images {
		start := records.Len()
		records.Write(image[:])
		for _, f := range features[i] {
			_ = binary.Write(&records, binary.LittleEndian, f) // a bytes.Buffer takes everything
		}
		_ = binary.Write(&records, binary.LittleEndian, crc32.Checksum(records.Bytes()[start:], castagnoli))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.file.Write(records.Bytes()); err != nil {
		return fmt.Errorf("feature cache: %w", err)
	}
	for i, image := range images {
		c.known[image] = features[i]
	}
	return nil
}

func (c *featureCache) close() error { return c.file.Close() }

// featureCacheDir is where features are kept: o.Cache, else a folder of the user's cache.
func featureCacheDir(o *Options) (string, error) {
	if o.Cache != "" {
		return o.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("feature cache: %w", errors.Join(err, fs.ErrNotExist))
	}
	return filepath.Join(dir, "cambium", "features"), nil
}
