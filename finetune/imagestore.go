package finetune

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/tensor"
)

// imageStore holds pictures as a base takes them, decoded, resized and preprocessed once, in a file that is mapped into memory:
// float32 [pictures, height, width, channels]. However many there are, memory holds those that are being used. The file has
// no name from the beginning where the system allows that, so that nothing is left of it even if the process is killed.
type imageStore struct {
	file   *os.File
	name   string // "" once it has none
	mapped []byte
	shape  []int // of a picture
}

// storePattern is one that session.directory looks for: what a killed run leaves on systems that keep the name.
const storePattern = ".images.tmp-*"

// newImageStore makes the pixels of pictures in a file in dir. The file's whole size is claimed first: that a disk is too small
// shows before the work, not at the end of it.
func newImageStore(ctx context.Context, dir string, b *base, pictures []picture, progress func(done, all int)) (_ *imageStore, err error) {
	s := &imageStore{shape: b.shape}
	size := int64(len(pictures)) * s.pictureBytes()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("the pixels of %d images, %.1f MB in %s: %w", len(pictures), float64(size)/1e6, dir, err), s.close())
		}
	}()
	if s.file, err = os.CreateTemp(dir, storePattern); err != nil {
		return nil, err
	}
	s.name = s.file.Name()
	if nameless && os.Remove(s.name) == nil {
		s.name = ""
	}
	if err = reserve(s.file, size); err != nil {
		return nil, err
	}
	if err = s.fill(ctx, 0, pictures, progress); err != nil {
		return nil, err
	}
	s.mapped, err = mapFile(s.file, size)
	return s, err
}

func (s *imageStore) pictureBytes() int64 {
	return 4 * int64(s.shape[0]) * int64(s.shape[1]) * int64(s.shape[2])
}

// fill writes pictures' pixels from a place on, on all cores.
func (s *imageStore) fill(ctx context.Context, from int, pictures []picture, progress func(done, all int)) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	count := counter(progress, len(pictures))
	pixels := sync.Pool{New: func() any { return tensor.Must(tensor.New(tensor.Float32, s.shape...)) }}
	for i, p := range pictures {
		workers.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			content, err := p.content()
			if err != nil {
				return err
			}
			x := pixels.Get().(*tensor.Tensor)
			defer pixels.Put(x)
			if err := p.pixels(ctx, content, x); err != nil {
				return err
			}
			if err := s.write(from+i, x.Bytes()); err != nil {
				return err
			}
			count(1)
			return nil
		})
	}
	return workers.Wait()
}

// write puts a picture's pixels into the file, and into memory where that is a copy of the file.
func (s *imageStore) write(at int, pixels []byte) error {
	offset := int64(at) * s.pictureBytes()
	if s.mapped != nil && !sharedMapping {
		copy(s.mapped[offset:], pixels)
	}
	_, err := s.file.WriteAt(pixels, offset)
	return err
}

// rows returns the pictures from one to before another, [to-from, height, width, channels], in the store's memory.
func (s *imageStore) rows(from, to int) (*tensor.Tensor, error) {
	part := s.mapped[int64(from)*s.pictureBytes() : int64(to)*s.pictureBytes()]
	return tensor.FromBytes(tensor.Float32, part, append([]int{to - from}, s.shape...)...)
}

// close frees memory and file. What rows returned cannot be used any more.
func (s *imageStore) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := errors.Join(unmapFile(s.mapped), s.file.Close())
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file, s.mapped = nil, nil
	return err
}
