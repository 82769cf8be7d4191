package train

import (
	"io"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/tensor"
)

// saver writes checkpoints while training goes on. Waiting for the disk takes longer than a short epoch: of the checkpoints that
// come while one is being written, only the last is written next. What can be lost is what was trained during the time of two writes,
// and the epoch that was being trained.
type saver struct {
	path    string
	pending chan []tensor.Named // holds one
	failed  chan error          // holds one
	ended   chan struct{}
}

func newSaver(path string) *saver {
	s := &saver{path: path, pending: make(chan []tensor.Named, 1), failed: make(chan error, 1), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for arrays := range s.pending {
			if err := s.write(arrays); err != nil {
				s.failed <- err
				return
			}
		}
	}()
	return s
}

func (s *saver) write(arrays []tensor.Named) error {
	return atomicfile.Write(s.path, func(w io.Writer) error { return tensor.WriteNPZ(w, false, arrays...) })
}

// put has a checkpoint written, in the place of one that still waits. It returns the error of an earlier one.
func (s *saver) put(arrays []tensor.Named) error {
	select {
	case err := <-s.failed:
		return err
	default:
	}
	select {
	case <-s.pending:
	default:
	}
	s.pending <- arrays
	return nil
}

// close waits until the last checkpoint is written.
func (s *saver) close() error {
	close(s.pending)
	<-s.ended
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}
