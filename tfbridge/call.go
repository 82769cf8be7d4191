//go:build cgo

package tfbridge

/*
#include "run.h"
*/
import "C"

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cambium-go/cambium/tensor"
)

// call is what one run inside TensorFlow needs: the memory of its inputs, descriptions of its inputs and outputs. One run at
// a time uses it.
type call struct {
	c       *C.cambium_call
	bytes   []byte   // of string inputs
	lengths []uint64 // of string inputs
	aside   aside
}

func newCall() *call {
	c := &call{c: C.cambium_new_call()}
	c.aside.done, c.aside.run = make(chan error, 1), c.runAside
	return c
}

func (c *call) free() { C.cambium_delete_call(c.c) }

// grow makes room for the inputs and outputs of a plan.
func (c *call) grow(inputs, outputs int) {
	if inputs > int(c.c.n_inputs) || outputs > int(c.c.n_outputs) {
		C.cambium_grow(c.c, C.int(inputs), C.int(outputs))
	}
}

// setInput copies t into the memory of input i.
func (c *call) setInput(i int, t *tensor.Tensor) error {
	size := len(t.Bytes())
	if t.DType() == tensor.String {
		size = t.Len() * C.sizeof_TF_TString
	}
	b, err := c.reserve(i, size)
	if err != nil {
		return err
	}
	v := &unsafe.Slice(c.c.inputs, i+1)[i]
	v.dtype, v.rank, v.bytes = C.int32_t(t.DType()), C.int32_t(t.Rank()), C.size_t(size)
	for k, d := range t.Shape() {
		v.dims[k] = C.int64_t(d)
	}
	if t.DType() == tensor.String {
		return c.setStrings(b, t)
	}
	copy(unsafe.Slice((*byte)(b.data), size), t.Bytes())
	return nil
}

// reserve returns the buffer of input i, which nobody else uses and which holds at least so many bytes.
func (c *call) reserve(i, size int) (*C.cambium_buffer, error) {
	b := unsafe.Slice(c.c.buffers, i+1)[i]
	if b != nil && atomic.LoadInt32((*int32)(&b.state)) == C.CAMBIUM_FREE && int(b.capacity) >= size {
		return b, nil
	}
	if C.cambium_reserve(c.c, C.int(i), C.size_t(size)) == 0 {
		return nil, fmt.Errorf("%w: no memory for an input of %d bytes", ErrTensorFlow, size)
	}
	return unsafe.Slice(c.c.buffers, i+1)[i], nil
}

func (c *call) setStrings(b *C.cambium_buffer, t *tensor.Tensor) error {
	s, err := tensor.Data[string](t)
	if err != nil {
		return err
	}
	c.bytes, c.lengths = c.bytes[:0], c.lengths[:0]
	for _, x := range s {
		c.bytes = append(c.bytes, x...)
		c.lengths = append(c.lengths, uint64(len(x)))
	}
	C.cambium_put_strings(b, C.size_t(len(s)), (*C.char)(unsafe.Pointer(unsafe.SliceData(c.bytes))), (*C.uint64_t)(unsafe.SliceData(c.lengths)))
	return nil
}

// setOptions writes a RunOptions (tensorflow/core/protobuf/config.proto): field 2 is timeout_in_ms; field 3 is
// inter_op_thread_pool, where -1 runs ops on the caller's thread, which cannot be combined with a time limit.
func (c *call) setOptions(timeout time.Duration, onCaller bool) {
	var b []byte
	options := unsafe.Slice((*byte)(unsafe.Pointer(&c.c.options[0])), len(c.c.options))[:0]
	switch {
	case timeout > 0:
		b = protowire.AppendTag(options, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64((timeout+time.Millisecond-1)/time.Millisecond))
	case onCaller:
		b = protowire.AppendTag(options, 3, protowire.VarintType)
		b = protowire.AppendVarint(b, math.MaxUint64) // -1
	}
	c.c.options_size = C.size_t(len(b))
}

// run runs the plan on the inputs that were set. Unless it fails, freeOutputs must follow.
func (c *call) run(p *plan, rows int) error {
	start := time.Now()
	code := C.cambium_run(c.c, p.c)
	p.ran(rows, time.Since(start))
	if code == C.TF_OK {
		return nil
	}
	return statusError(int(code), C.GoString(C.TF_Message(c.c.status)))
}

func (c *call) freeOutputs(p *plan) { C.cambium_free_outputs(c.c, p.c) }

// output returns a copy of output i.
func (c *call) output(i int) (*tensor.Tensor, error) {
	var dims [8]int
	v, shape, err := c.described(i, dims[:0])
	if err != nil {
		return nil, err
	}
	t, err := tensor.New(tensor.DType(v.dtype), shape...)
	if err != nil {
		return nil, err
	}
	return t, copyValue(t, v)
}

// outputInto copies output i into t, which must have its type and shape.
func (c *call) outputInto(i int, t *tensor.Tensor) error {
	var dims [8]int
	v, shape, err := c.described(i, dims[:0])
	if err != nil {
		return err
	}
	if err := checkInto(t, tensor.DType(v.dtype), shape); err != nil {
		return err
	}
	return copyValue(t, v)
}

// checkInto checks that an output of some type and shape fits into t.
func checkInto(t *tensor.Tensor, d tensor.DType, shape tensor.Shape) error {
	if d != t.DType() || !t.Shape().Equal(shape) {
		return fmt.Errorf("%w: the output is %v %v, the tensor for it %v", ErrInput, d, shape, t)
	}
	return nil
}

// described returns output i as TensorFlow describes it, and its shape, appended to dims.
func (c *call) described(i int, dims []int) (*C.cambium_value, []int, error) {
	v := &unsafe.Slice(c.c.outputs, i+1)[i]
	if v.rank > C.CAMBIUM_MAX_RANK || v.rank < 0 {
		return nil, nil, fmt.Errorf("%w: an output has rank %d, at most %d is possible", ErrTensorFlow, v.rank, C.CAMBIUM_MAX_RANK)
	}
	for _, d := range v.dims[:v.rank] {
		dims = append(dims, int(d))
	}
	return v, dims, nil
}

// copyValue fills t with an output of its type and shape.
func copyValue(t *tensor.Tensor, v *C.cambium_value) error {
	if t.DType() == tensor.String {
		return getStrings(t, v)
	}
	if len(t.Bytes()) != int(v.bytes) {
		return fmt.Errorf("%w: an output of %v has %d bytes", ErrTensorFlow, t, v.bytes)
	}
	copy(t.Bytes(), unsafe.Slice((*byte)(v.data), int(v.bytes)))
	return nil
}

// getStrings fills t with the strings of an output. They share one block of memory.
func getStrings(t *tensor.Tensor, v *C.cambium_value) error {
	s, err := tensor.Data[string](t)
	if err != nil || len(s) == 0 {
		return err
	}
	lengths := make([]uint64, len(s))
	sum := C.cambium_string_lengths(v.data, C.size_t(len(s)), (*C.uint64_t)(unsafe.SliceData(lengths)))
	if sum == 0 {
		return nil
	}
	block := make([]byte, sum)
	C.cambium_get_strings(v.data, C.size_t(len(s)), (*C.char)(unsafe.Pointer(unsafe.SliceData(block))))
	text := unsafe.String(unsafe.SliceData(block), len(block))
	for i, n := range lengths {
		s[i], text = text[:n], text[n:]
	}
	return nil
}

// statusError makes an error of what TensorFlow reports.
func statusError(code int, message string) error {
	message = strings.Join(strings.Fields(message), " ")
	if code == C.TF_DEADLINE_EXCEEDED {
		return fmt.Errorf("%w: %w: %s", ErrTensorFlow, errDeadline, message)
	}
	return fmt.Errorf("%w: %s", ErrTensorFlow, message)
}
