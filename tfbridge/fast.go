//go:build cgo

package tfbridge

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

const (
	// maxFrozen is how many bytes a graph, and its variables, may have to be rewritten: TensorFlow keeps several copies of
	// constants. ResNet50, of 103 MB, gains an eighth of its time, for 1.6 GB more of memory and 1.4 s more until the first result.
	maxFrozen = 64 << 20
	// maxSerial is how many multiplications, estimated as parameters times rows, a call does on one thread. Below it, handing
	// work to other threads costs more than they save.
	maxSerial = 8 << 20
	// minPart is about how many rows go through a graph at once, or more, where a call is divided: kernels take their weights
	// from memory once for all of them.
	minPart = 8
	// maxTensor is about how many bytes the largest tensor of a part may have, unless that makes it a single row: what one
	// kernel writes is then still in the processor's caches when the next one reads it.
	maxTensor = 12 << 20
)

var errTooLarge = fmt.Errorf("%w: too large to rewrite", graph.ErrUnsupported)

// fast runs a signature that neither reads nor writes state: its functions inlined, its variables constants, what stands around
// convolutions and matrix products moved into their weights, each op on the thread of the caller.
type fast struct {
	parameters int
	cores      int   // among which one call may be shared out; 0 where kernels share their own work out
	serial     *plan // kernels use one thread
	rowBytes   int   // how many the largest tensor has for each row; 0 where calls cannot be divided into some rows and others

	config *tfproto.ConfigProto // of wide
	once   sync.Once
	wide   *plan // kernels use as many threads as there are cores, for calls that are not shared out; nil where Options say how many
}

// newFast rewrites a signature, whose calls may use so many cores. The error says why that cannot be done.
func newFast(g *graph.Graph, sig *graph.Signature, base *session, opts *Options, cores int) (*fast, error) {
	config, err := opts.config()
	if err != nil {
		return nil, err
	}
	flat, err := freeze(g, sig, base)
	if err != nil {
		return nil, err
	}
	if err := checkStraight(flat); err != nil {
		return nil, err
	}
	if flat, err = graph.Fold(flat); err != nil {
		return nil, err
	}
	f := &fast{parameters: parameters(flat.Def)}
	switch threads := config.IntraOpParallelismThreads; {
	case threads == 0 && runtime.NumCPU() > 1:
		f.cores = min(cores, runtime.NumCPU())
		f.config = oneExecutor(config, 0)
	case threads <= 1:
		f.cores = 1
	}
	s, err := importGraph(flat.Def, oneExecutor(config, 1), device{})
	if err != nil {
		return nil, err
	}
	if f.serial, err = s.signaturePlan(&flat.Signatures[0]); err != nil {
		return nil, errors.Join(err, s.close())
	}
	f.serial.straight = true
	f.rowBytes = rowBytes(flat, s)
	return f, nil
}

// oneExecutor returns a configuration in which one thread runs the ops one after the other, and kernels use so many. Of
// TensorFlow's passes over the graph it leaves those that make it faster, above all the one that fuses ops: the others look for
// functions, loops, equal constants and memory to save, for longer than the first batch takes.
func oneExecutor(config *tfproto.ConfigProto, threads int32) *tfproto.ConfigProto {
	c := proto.Clone(config).(*tfproto.ConfigProto)
	if c.Experimental == nil {
		c.Experimental = &tfproto.ConfigProto_Experimental{}
	}
	if c.Experimental.ExecutorType == "" {
		c.Experimental.ExecutorType = "SINGLE_THREADED_EXECUTOR"
	}
	if c.IntraOpParallelismThreads == 0 {
		c.IntraOpParallelismThreads = threads
	}
	if c.GetGraphOptions().GetRewriteOptions() == nil {
		if c.GraphOptions == nil {
			c.GraphOptions = &tfproto.GraphOptions{}
		}
		c.GraphOptions.RewriteOptions = &tfproto.RewriterConfig{
			MetaOptimizerIterations: tfproto.RewriterOnce, Optimizers: []string{"pruning", "constfold", "arithmetic", "remap"},
		}
	}
	return c
}

// isSmall reports whether one thread had better do a call on so many rows.
func (f *fast) isSmall(rows int) bool {
	return f.config == nil || rows <= maxSerial/max(f.parameters, 1)
}

// parts returns the numbers of rows in which a call is divided, among the cores and for the sake of their caches; none where it
// is not. They depend on the number of rows and of cores alone, so that equal calls give equal bits.
func (f *fast) parts(rows int) []int {
	if f.rowBytes == 0 || f.cores == 0 || f.cores > 1 && f.isSmall(rows) {
		return nil
	}
	size := min(max(minPart, maxSerial/max(f.parameters, 1)), max(2, maxTensor/f.rowBytes))
	n := (rows + size - 1) / size
	n = min((n+f.cores-1)/f.cores*f.cores, rows) // all cores end at one time
	if n < 2 {
		return nil
	}
	parts := make([]int, n)
	for i := range parts {
		parts[i] = rows*(i+1)/n - rows*i/n
	}
	return parts
}

// pick returns the plan for a call on so many rows that is not shared out.
func (f *fast) pick(rows int) *plan {
	if f.isSmall(rows) {
		return f.serial
	}
	f.once.Do(func() {
		s, err := f.serial.session.sibling(f.config)
		if err != nil {
			return
		}
		f.wide = f.serial.on(s)
	})
	if f.wide == nil {
		return f.serial
	}
	return f.wide
}

func (f *fast) interrupt() {
	f.serial.session.interrupt()
	if f.wide != nil {
		f.wide.session.interrupt()
	}
}

func (f *fast) close() error {
	var err error
	if f.wide != nil {
		f.wide.free()
		err = f.wide.session.close()
	}
	f.serial.free()
	return errors.Join(err, f.serial.session.close())
}

// freeze returns the graph of one signature with the current values of its variables as constants.
func freeze(g *graph.Graph, sig *graph.Signature, base *session) (*graph.Graph, error) {
	nodes, err := graph.UsedVariables(g)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, n := range nodes {
		elements, err := graph.ShapeOf(n.GetAttr()["shape"].GetShape()).Elements()
		if err != nil {
			return nil, err
		}
		size += elements * graph.DTypeOf(n.GetAttr()["dtype"].GetType()).Size()
	}
	if size > maxFrozen {
		return nil, errTooLarge
	}
	frozen := *g
	frozen.Signatures = slices.Clone(g.Signatures)
	for i := range frozen.Signatures {
		if frozen.Signatures[i].Name == sig.Name {
			frozen.Signatures[i] = *sig // without the optional inputs that are left out
		}
	}
	if frozen.Variables, err = base.variables(nodes); err != nil {
		return nil, err
	}
	return graph.ForSignature(&frozen, sig.Name)
}

// checkStraight says why a graph cannot be run op by op on one thread: it has state, loops or branches, or an output that is
// an input.
func checkStraight(g *graph.Graph) error {
	for _, n := range g.Def.GetNode() {
		switch n.GetOp() {
		case "Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond":
			return fmt.Errorf("%w: node %s is control flow of TensorFlow 1", graph.ErrUnsupported, n.GetName())
		}
		if kindOf(n.GetOp()) != pureOp {
			return fmt.Errorf("%w: node %s (%s) has state", graph.ErrUnsupported, n.GetName(), n.GetOp())
		}
		for _, a := range n.GetAttr() {
			if a.GetFunc() != nil || len(a.GetList().GetFunc()) > 0 {
				return fmt.Errorf("%w: node %s (%s) calls a function", graph.ErrUnsupported, n.GetName(), n.GetOp())
			}
		}
	}
	in := graph.Parts(g.Signatures[0].Inputs)
	for _, out := range graph.Parts(g.Signatures[0].Outputs) {
		if slices.ContainsFunc(in, func(p graph.Port) bool { return p.Tensor == out.Tensor }) {
			return fmt.Errorf("%w: output %s is an input", graph.ErrUnsupported, out.Name)
		}
	}
	return nil
}

// parameters returns the number of elements of the graph's constants.
func parameters(def *tfproto.GraphDef) int {
	sum := 0
	for _, n := range def.GetNode() {
		if t := n.GetAttr()["value"].GetTensor(); t != nil && n.GetOp() == "Const" {
			elements, _ := graph.ShapeOf(t.GetTensorShape()).Elements() // TensorFlow has read it already
			sum += elements
		}
	}
	return sum
}

// rows returns the largest leading dimension of the inputs: the batch, in nearly every model.
func rows(ports []graph.Port, inputs map[string]*tensor.Tensor) int {
	n := 1
	for i := range ports {
		n = max(n, leading(inputs[ports[i].Name]))
	}
	return n
}

func leading(t *tensor.Tensor) int {
	if t.Rank() == 0 {
		return 1
	}
	return t.Shape()[0]
}
