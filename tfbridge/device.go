//go:build cgo

package tfbridge

/*
#include "run.h"
*/
import "C"

import (
	"fmt"
	"sync"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// Available says whether TensorFlow is built into this program.
const Available = true

// Version returns TensorFlow's version, such as "2.18.1"; "" where it is not built in.
func Version() string { return binding.Version() }

// Devices returns the hardware that TensorFlow can use. The first call makes TensorFlow look for it; a GPU's memory is taken
// only as it is needed.
func Devices() ([]Device, error) { return devices() }

var devices = sync.OnceValues(func() ([]Device, error) {
	opts := Options{GPUMemoryGrowth: true}
	config, err := opts.config()
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder()
	b.Op("NoOp", "nothing", nil, nil)
	g, err := b.Finish()
	if err != nil {
		return nil, err
	}
	s, err := load(g, &opts, config)
	if err != nil {
		return nil, err
	}
	list, err := s.devices()
	if err != nil {
		return nil, err
	}
	return list, s.close()
})

// devices returns what the session runs on.
func (s *session) devices() ([]Device, error) {
	list, err := s.inner.ListDevices()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	r := make([]Device, len(list))
	for i, d := range list {
		r[i] = Device{Name: d.Name, Type: d.Type, MemoryBytes: d.MemoryLimitBytes}
	}
	return r, nil
}

var logging struct {
	sync.Mutex
	level LogLevel
}

// setLogLevel lets TensorFlow write as much as the most talkative of the models asked for.
func setLogLevel(level LogLevel) {
	logging.Lock()
	defer logging.Unlock()
	logging.level = max(logging.level, level)
	C.cambium_set_log_level(C.int(LogInfo - logging.level))
}
