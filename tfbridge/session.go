//go:build cgo

package tfbridge

/*
#include <stdlib.h>
#include "run.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// session is a TensorFlow session on a graph.
type session struct {
	graph   *binding.Graph
	inner   *binding.Session
	model   *binding.Model // what the binding loaded them into, if it did: its finalizer closes the session
	sharing bool           // another session owns the graph

	cGraph   *C.TF_Graph
	cSession *C.TF_Session
}

// newSession looks inside the binding's objects for TensorFlow's.
func newSession(g *binding.Graph, s *binding.Session, m *binding.Model) (*session, error) {
	cGraph, err := pointer(g, "TF_Graph")
	if err != nil {
		return nil, err
	}
	cSession, err := pointer(s, "TF_Session")
	if err != nil {
		return nil, err
	}
	return &session{graph: g, inner: s, model: m, cGraph: (*C.TF_Graph)(cGraph), cSession: (*C.TF_Session)(cSession)}, nil
}

// openSession opens a session on a graph.
func openSession(g *binding.Graph, config *tfproto.ConfigProto) (*session, error) {
	o, err := sessionOptions(config)
	if err != nil {
		return nil, err
	}
	s, err := binding.NewSession(g, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	return newSession(g, s, nil)
}

func sessionOptions(config *tfproto.ConfigProto) (*binding.SessionOptions, error) {
	data, err := proto.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return &binding.SessionOptions{Config: data}, nil
}

// sibling opens another session on the same graph, which s must outlive.
func (s *session) sibling(config *tfproto.ConfigProto) (*session, error) {
	r, err := openSession(s.graph, config)
	if r != nil {
		r.sharing = true
	}
	return r, err
}

// pointer returns the C pointer that a type of the binding keeps in its field c. This is the only place that depends on the
// inside of the binding: its API has no per-call options, and leaves the freeing of tensors to finalizers.
func pointer(object any, ctype string) (unsafe.Pointer, error) {
	f := reflect.ValueOf(object).Elem().FieldByName("c")
	if !f.IsValid() || f.Kind() != reflect.Pointer || !strings.HasSuffix(f.Type().String(), ctype) {
		return nil, fmt.Errorf("%w: %s's %T does not look as expected: it has no field c of type *%s; use the version that go.mod names", ErrNotBuilt, binding.Name, object, ctype)
	}
	return f.UnsafePointer(), nil
}

// close frees the session and its graph. Nothing may run.
func (s *session) close() error {
	err := s.inner.Close()
	if s.model == nil && !s.sharing {
		deleteGraph(s.graph)
	}
	if err != nil {
		return fmt.Errorf("%w: closing the session: %w", ErrTensorFlow, err)
	}
	return nil
}

// interrupt cancels what runs; the session cannot be used any more.
func (s *session) interrupt() {
	status := C.TF_NewStatus()
	C.TF_CloseSession(s.cSession, status)
	C.TF_DeleteStatus(status)
}

// deleteGraph frees a graph now, not when Go's garbage collector gets to it.
func deleteGraph(g *binding.Graph) {
	if p, err := pointer(g, "TF_Graph"); err == nil {
		runtime.SetFinalizer(g, nil)
		C.TF_DeleteGraph((*C.TF_Graph)(p))
	}
}

// operation returns the node with the given name; nil if there is none.
func (s *session) operation(name string) *C.TF_Operation {
	if strings.ContainsRune(name, 0) { // C would read up to there
		return nil
	}
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	return C.TF_GraphOperationByName(s.cGraph, n)
}

func numOutputs(op *C.TF_Operation) int { return int(C.TF_OperationNumOutputs(op)) }

// output finds a tensor of the graph by its name, "node:0".
func (s *session) output(name string) (C.TF_Output, error) {
	node, i, err := graph.ParseTensor(name)
	if err != nil {
		return C.TF_Output{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	op := s.operation(node)
	if op == nil {
		return C.TF_Output{}, fmt.Errorf("%w: the graph has no node %q", ErrName, node)
	}
	if n := numOutputs(op); i >= n {
		return C.TF_Output{}, fmt.Errorf("%w: node %q has %d outputs, there is no %q", ErrName, node, n, name)
	}
	return C.TF_Output{oper: op, index: C.int(i)}, nil
}

// ports describes tensors of the graph by their names.
func (s *session) ports(names []string) ([]graph.Port, error) {
	ports := make([]graph.Port, len(names))
	for i, name := range names {
		o, err := s.output(name)
		if err != nil {
			return nil, err
		}
		ports[i] = s.port(name, o)
	}
	return ports, nil
}

// port describes a tensor of the graph.
func (s *session) port(name string, o C.TF_Output) graph.Port {
	p := graph.Port{Name: name, DType: elementType(uint32(C.TF_OperationOutputType(o))), Tensor: name}
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	n := C.TF_GraphGetTensorNumDims(s.cGraph, o, status)
	if C.TF_GetCode(status) != C.TF_OK || n < 0 {
		return p
	}
	dims := make([]C.int64_t, n+1)
	C.TF_GraphGetTensorShape(s.cGraph, o, &dims[0], n, status)
	if C.TF_GetCode(status) != C.TF_OK {
		return p
	}
	p.Shape = make(tensor.Shape, n)
	for i := range p.Shape {
		p.Shape[i] = int(dims[i])
	}
	return p
}

// correct returns a signature with the element types and shapes that the graph has, where the signature says something else:
// some exporters of TensorFlow 1 wrote no shapes, or wrong types.
func (s *session) correct(sig graph.Signature) graph.Signature {
	sig.Inputs, sig.Outputs = s.correctPorts(sig.Inputs), s.correctPorts(sig.Outputs)
	return sig
}

func (s *session) correctPorts(ports []graph.Port) []graph.Port {
	ports = slices.Clone(ports)
	for i := range ports {
		p := &ports[i]
		o, err := s.output(p.Tensor)
		if err != nil {
			continue // composite, or an error when it is called
		}
		has := s.port(p.Tensor, o)
		p.DType = has.DType
		if !compatible(p.Shape, has.Shape) {
			p.Shape = has.Shape
		}
	}
	return ports
}

// compatible reports whether some tensor has both shapes.
func compatible(a, b tensor.Shape) bool {
	if a == nil || b == nil {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] >= 0 && b[i] >= 0 && a[i] != b[i] {
			return false
		}
	}
	return true
}

// elementType returns the type of a tensor's elements, without the mark of a reference to a variable.
func elementType(t uint32) tensor.DType {
	const ref = 100
	if t > ref {
		t -= ref
	}
	return tensor.DType(t)
}
