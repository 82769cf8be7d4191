//go:build cgo

package tfbridge

/*
#include <stdlib.h>
#include "run.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// load makes a session on a graph, with its variables and tables filled.
func load(g *graph.Graph, opts *Options, config *tfproto.ConfigProto) (*session, error) {
	setLogLevel(opts.LogLevel)
	if err := checkGraph(g); err != nil {
		return nil, err
	}
	d, err := parseDevice(opts.Device)
	if err != nil {
		return nil, err
	}
	s, err := loadModel(g, config)
	if s == nil && err == nil {
		if s, err = importGraph(withSetters(g), config, d); err == nil {
			err = s.initialize(g)
		}
	}
	if s == nil {
		return nil, err
	}
	if err == nil {
		err = s.checkDevice(d)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// checkGraph checks what TensorFlow would find too late or not at all.
func checkGraph(g *graph.Graph) error {
	if g == nil || g.Def == nil {
		return fmt.Errorf("%w: there is no graph", graph.ErrMalformed)
	}
	if size := proto.Size(g.Def); size > math.MaxInt32 {
		return fmt.Errorf("%w: the graph has %d bytes; TensorFlow reads at most 2 GiB", graph.ErrUnsupported, size)
	}
	if err := checkOps(g.Def); err != nil {
		return err
	}
	if err := checkNodes(g.Def); err != nil {
		return err
	}
	if c := g.Checkpoint; mustRestore(g) {
		if _, err := os.Stat(c.Prefix + ".index"); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s.index does not exist; copy the variables directory together with the model", ErrCheckpoint, c.Prefix)
		} else if err != nil {
			return fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
	}
	return nil
}

// checkOps says which ops of the graph this TensorFlow does not have.
func checkOps(def *tfproto.GraphDef) error {
	known := map[string]bool{}
	for _, f := range def.GetLibrary().GetFunction() {
		known[f.GetSignature().GetName()] = true // a function's name may stand where an op's does
	}
	var unknown []string
	check := func(nodes []*tfproto.NodeDef) {
		for _, n := range nodes {
			if known[n.GetOp()] {
				continue
			}
			known[n.GetOp()] = true
			if kindOf(n.GetOp()) == unknownOp {
				unknown = append(unknown, n.GetOp())
			}
		}
	}
	check(def.GetNode())
	for _, f := range def.GetLibrary().GetFunction() {
		check(f.GetNodeDef())
	}
	if unknown == nil {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("%w: TensorFlow %s has no op %s; the model needs a newer TensorFlow or a library of custom ops", graph.ErrUnsupported, Version(), strings.Join(unknown, ", "))
}

// checkNodes checks what TensorFlow takes for granted, and crashes without: that constants have the type that they say, and
// that the functions that nodes call are there.
func checkNodes(def *tfproto.GraphDef) error {
	functions := map[string]bool{"": true}
	for _, f := range def.GetLibrary().GetFunction() {
		functions[f.GetSignature().GetName()] = true
	}
	check := func(nodes []*tfproto.NodeDef) error {
		for _, n := range nodes {
			says, is := n.GetAttr()["dtype"].GetType(), n.GetAttr()["value"].GetTensor().GetDtype()
			if n.GetOp() == "Const" && says != is {
				return fmt.Errorf("%w: constant %s should be %v and is %v", graph.ErrMalformed, n.GetName(), says, is)
			}
			for _, a := range n.GetAttr() {
				for _, f := range append(a.GetList().GetFunc(), a.GetFunc()) {
					if name := f.GetName(); !functions[name] && kindOf(name) == unknownOp {
						return fmt.Errorf("%w: node %s (%s) calls the function %q, which the graph does not have", graph.ErrMalformed, n.GetName(), n.GetOp(), name)
					}
				}
			}
		}
		return nil
	}
	for _, f := range def.GetLibrary().GetFunction() {
		if err := check(f.GetNodeDef()); err != nil {
			return fmt.Errorf("function %s: %w", f.GetSignature().GetName(), err)
		}
	}
	return check(def.GetNode())
}

// opKind tells ops that keep state from those that do not.
type opKind int

const (
	unknownOp  opKind = -1
	pureOp     opKind = 0
	statefulOp opKind = 1
)

func kindOf(op string) opKind {
	n := C.CString(op)
	defer C.free(unsafe.Pointer(n))
	return opKind(C.cambium_op_kind(n))
}

// loadModel loads a SavedModel through the binding, where the binding has a loader of its own (tfgo); else it returns nil.
func loadModel(g *graph.Graph, config *tfproto.ConfigProto) (*session, error) {
	info, err := os.Stat(g.Source.Path)
	if g.Variables != nil && g.Checkpoint == nil || g.Source.Path == "" || err != nil || !info.IsDir() {
		return nil, nil
	}
	o, err := sessionOptions(config)
	if err != nil {
		return nil, err
	}
	m, bg, bs, err := binding.LoadModel(g.Source.Path, g.Source.Tags, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	if m == nil {
		return nil, nil
	}
	return newSession(bg, bs, m)
}

// importGraph imports a graph. Its variables and tables are empty.
func importGraph(def *tfproto.GraphDef, config *tfproto.ConfigProto, d device) (*session, error) {
	data, err := proto.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	g := binding.NewGraph()
	var imports binding.GraphImportOptions
	if d.index > 0 {
		imports.Device = fmt.Sprintf("/device:GPU:%d", d.index)
	}
	if err := g.ImportWithOptions(data, imports); err != nil {
		deleteGraph(g)
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	s, err := openSession(g, config)
	if err != nil {
		deleteGraph(g)
		return nil, err
	}
	return s, nil
}

// initialize restores or sets the variables and runs the init op.
func (s *session) initialize(g *graph.Graph) error {
	if mustRestore(g) {
		if err := s.restore(g.Checkpoint); err != nil {
			return err
		}
	}
	if err := s.setVariables(g); err != nil {
		return fmt.Errorf("setting the variables: %w", err)
	}
	if g.Init.Op == "" {
		return nil
	}
	feeds := map[string]*tensor.Tensor{}
	for name, path := range g.Init.Assets {
		feeds[name] = tensor.Scalar(path)
	}
	if _, err := s.do(feeds, nil, g.Init.Op); err != nil {
		return fmt.Errorf("running the init op %s: %w", g.Init.Op, err)
	}
	return nil
}

func (s *session) restore(c *graph.Checkpoint) error {
	feeds := map[string]*tensor.Tensor{}
	if c.FilenameTensor != "" {
		feeds[c.FilenameTensor] = tensor.Scalar(c.Prefix)
	}
	if _, err := s.do(feeds, nil, c.RestoreOp); err != nil {
		return fmt.Errorf("restoring the variables from %s: %w", c.Prefix, err)
	}
	return nil
}

// do feeds tensors by their names, fetches others and runs nodes, once.
func (s *session) do(feeds map[string]*tensor.Tensor, fetches []string, targets ...string) ([]*tensor.Tensor, error) {
	names := slices.Sorted(maps.Keys(feeds))
	in, err := s.ports(names)
	if err != nil {
		return nil, err
	}
	out, err := s.ports(fetches)
	if err != nil {
		return nil, err
	}
	p, err := s.plan(in, out, targets)
	if err != nil {
		return nil, err
	}
	defer p.free()
	c := newCall()
	defer c.free()
	c.grow(len(in), len(out))
	for i, name := range names {
		in[i].Shape = nil // an asset's constant has the shape of what was there when the model was saved
		if err := checkInput(&in[i], feeds[name]); err != nil {
			return nil, err
		}
		if err := c.setInput(i, feeds[name]); err != nil {
			return nil, err
		}
	}
	if err := c.run(p, 1); err != nil {
		return nil, err
	}
	defer c.freeOutputs(p)
	results := make([]*tensor.Tensor, len(out))
	for i := range out {
		if results[i], err = c.output(i); err != nil {
			return nil, fmt.Errorf("%s: %w", fetches[i], err)
		}
	}
	return results, nil
}

// checkDevice checks that the GPU that was demanded is there.
func (s *session) checkDevice(d device) error {
	if !d.gpu {
		return nil
	}
	devices, err := s.devices()
	if err != nil {
		return err
	}
	have := make([]string, len(devices))
	for i, x := range devices {
		if x.Type == "GPU" && strings.HasSuffix(x.Name, fmt.Sprintf(":%d", d.index)) {
			return nil
		}
		have[i] = x.Name
	}
	return fmt.Errorf("%w: there is no GPU %d; TensorFlow sees %s", ErrOptions, d.index, strings.Join(have, ", "))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
