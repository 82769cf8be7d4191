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
	o := &binding.SessionOptions{}
	if o.Config, err = proto.Marshal(config); err != nil {
		return nil, err
	}
	s, err := loadModel(g, o)
	if s == nil && err == nil {
		s, err = importGraph(g, o, d)
	}
	if err != nil {
		return nil, err
	}
	if err := s.checkDevice(d); err != nil {
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
	if c := g.Checkpoint; c != nil && c.RestoreOp != "" && g.Variables == nil {
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
			if !hasOp(n.GetOp()) {
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

func hasOp(name string) bool {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	return C.cambium_has_op(n) != 0
}

// loadModel loads a SavedModel through the binding, where the binding has a loader of its own (tfgo); else it returns nil.
func loadModel(g *graph.Graph, o *binding.SessionOptions) (*session, error) {
	info, err := os.Stat(g.Source.Path)
	if g.Variables != nil || g.Source.Path == "" || err != nil || !info.IsDir() {
		return nil, nil
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

// importGraph imports a graph and fills its variables and tables.
func importGraph(g *graph.Graph, o *binding.SessionOptions, d device) (*session, error) {
	def, setters := withSetters(g)
	data, err := proto.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	bg := binding.NewGraph()
	var imports binding.GraphImportOptions
	if d.index > 0 {
		imports.Device = fmt.Sprintf("/device:GPU:%d", d.index)
	}
	if err := bg.ImportWithOptions(data, imports); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	bs, err := binding.NewSession(bg, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	s, err := newSession(bg, bs, nil)
	if err != nil {
		return nil, err
	}
	if err := s.initialize(g, setters); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// initialize restores or sets the variables and runs the init op.
func (s *session) initialize(g *graph.Graph, setters []setter) error {
	if err := s.set(g.Variables, setters); err != nil {
		return fmt.Errorf("setting the variables: %w", err)
	}
	if c := g.Checkpoint; c != nil && c.RestoreOp != "" && g.Variables == nil {
		feeds := map[string]*tensor.Tensor{}
		if c.FilenameTensor != "" {
			feeds[c.FilenameTensor] = tensor.Scalar(c.Prefix)
		}
		if err := s.do(feeds, c.RestoreOp); err != nil {
			return fmt.Errorf("restoring the variables from %s: %w", c.Prefix, err)
		}
	}
	if g.Init.Op == "" {
		return nil
	}
	feeds := map[string]*tensor.Tensor{}
	for name, path := range g.Init.Assets {
		feeds[name] = tensor.Scalar(path)
	}
	if err := s.do(feeds, g.Init.Op); err != nil {
		return fmt.Errorf("running the init op %s: %w", g.Init.Op, err)
	}
	return nil
}

// do feeds tensors by their names and runs a node, once.
func (s *session) do(feeds map[string]*tensor.Tensor, targets ...string) error {
	names := slices.Sorted(maps.Keys(feeds))
	ports := make([]graph.Port, len(names))
	for i, name := range names {
		o, err := s.output(name)
		if err != nil {
			return err
		}
		ports[i] = s.port(name, o)
		ports[i].Shape = nil // an asset's constant has the shape of what was there when the model was saved
		if err := checkInput(&ports[i], feeds[name]); err != nil {
			return err
		}
	}
	p, err := s.plan(ports, nil, targets)
	if err != nil {
		return err
	}
	defer p.free()
	c := newCall()
	defer c.free()
	c.grow(len(ports), 0)
	for i, name := range names {
		if err := c.setInput(i, feeds[name]); err != nil {
			return err
		}
	}
	return c.run(p)
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
