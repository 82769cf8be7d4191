package finetune

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// featureCache keeps the features of images on disk, by content: a folder a base and preprocessing, in it a file for each run
// that added to it, in that a record an image.
//
//	record: SHA-256 of the image (32 bytes) | features, float32 little-endian | CRC-32C of both
//
// A run writes only to a file of its own, so that several at once do not disturb each other. A record that a crash cut off, or
// a disk damaged, and all behind it in its file are not used.
type featureCache struct {
	dir   string
	width int
	mu    sync.Mutex
	file  *os.File // of this run; nil until there is something to keep
	known map[[sha256.Size]byte][]float32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const featureFiles = "*.features"

// openFeatureCache opens the cache of a key in dir, which is made if it is not there.
func openFeatureCache(dir, key string, width int) (*featureCache, error) {
	c := &featureCache{dir: filepath.Join(dir, key), width: width, known: map[[sha256.Size]byte][]float32{}}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	names, err := fs.Glob(os.DirFS(c.dir), featureFiles)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := c.readFile(filepath.Join(c.dir, name)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *featureCache) recordSize() int { return sha256.Size + 4*c.width + 4 }

func (c *featureCache) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(c.read(f), f.Close())
}

// read reads whole records, up to the first that is not.
func (c *featureCache) read(from io.Reader) error {
	r, record := bufio.NewReaderSize(from, 1<<20), make([]byte, c.recordSize())
	for {
		if _, err := io.ReadFull(r, record); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		} else if err != nil {
			return err
		}
		body := record[:len(record)-4]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(record[len(body):]) {
			return nil
		}
		features := make([]float32, c.width)
		for i := range features {
			features[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[sha256.Size+4*i:]))
		}
		c.known[[sha256.Size]byte(body[:sha256.Size])] = features
	}
}

// get returns the features of an image, nil if they are not known.
func (c *featureCache) get(image [sha256.Size]byte) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[image]
}

// put keeps the features of images.
func (c *featureCache) put(images [][sha256.Size]byte, features [][]float32) error {
	records := make([]byte, 0, len(images)*c.recordSize())
	for i, image := range images {
		start := len(records)
		records = append(records, image[:]...)
		for _, f := range features[i] {
			records = binary.LittleEndian.AppendUint32(records, math.Float32bits(f))
		}
		records = binary.LittleEndian.AppendUint32(records, crc32.Checksum(records[start:], castagnoli))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		var err error
		if c.file, err = os.CreateTemp(c.dir, featureFiles); err != nil {
			return err
		}
	}
	if _, err := c.file.Write(records); err != nil {
		return err
	}
	for i, image := range images {
		c.known[image] = features[i]
	}
	return nil
}

func (c *featureCache) close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// featureCacheDir is where features are kept: o.Cache, else a folder of the user's cache.
func featureCacheDir(o *Options) (string, error) {
	if o.Cache != "" {
		return o.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "cambium", "features"), nil
}
