package train

import (
	"io"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/tensor"
)

// saver writes checkpoints while the next epoch is trained. It takes one only when the one before is on the disk, so that whatever
// ends the process costs one complete epoch at most, beside the one that was being trained.
type saver struct {
	path    string
	pending chan []tensor.Named
	ended   chan struct{}
	err     error // to be read once ended is closed
	told    bool  // put has returned it
}

func newSaver(path string) *saver {
	s := &saver{path: path, pending: make(chan []tensor.Named), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for arrays := range s.pending {
			if s.err = s.write(arrays); s.err != nil {
				return
			}
		}
	}()
	return s
}

func (s *saver) write(arrays []tensor.Named) error {
	return atomicfile.Write(s.path, func(w io.Writer) error { return tensor.WriteNPZ(w, false, arrays...) })
}

// put has a checkpoint written, and waits for the one before. It returns the error of that.
func (s *saver) put(arrays []tensor.Named) error {
	select {
	case s.pending <- arrays:
		return nil
	case <-s.ended:
		s.told = true
		return s.err
	}
}

// close waits until the last checkpoint is written, and returns an error that put has not.
func (s *saver) close() error {
	close(s.pending)
	<-s.ended
	if s.told {
		return nil
	}
	return s.err
}
