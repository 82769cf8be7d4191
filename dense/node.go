package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// node is one operation of the network as it runs. Layers are what a user writes; building turns each into zero, one or
// several nodes (Dense with an activation into two).
type node interface {
	// reach says what a node needs of its input to compute a block of its output.
	reach() reach
	// columns returns the width of the output, given that of the input.
	columns(in int) int
	// keepsInput and keepsOutput say what backward reads, which must not be overwritten by computing in place.
	keepsInput() bool
	keepsOutput() bool
	// inPlace reports whether the output may be the input's memory.
	inPlace() bool
	// infer computes a block of the output in inference mode.
	infer(in, out matrix, b block, s *scratch)
	// train computes a block of the output in training mode.
	train(t *tape, b block, s *scratch)
	// backward computes a block of the gradient of the input.
	backward(t *tape, b block, s *scratch)
}

// reach is what of its input a node needs for a block.
type reach int

const (
	reachBlock   reach = iota // the same block: elementwise
	reachRows                 // whole rows (samples)
	reachColumns              // whole columns (the batch)
	reachProduct              // whole rows, and any block of the output can be computed: Dense
)

// tape is what the training of one node holds on to between forward and backward.
type tape struct {
	in, out, dIn, dOut matrix
	nonzeros           *nonzeros // of in, for a first product
	batch              *batch
	per                int       // rows a sample
	penalties          []float64 // of each sample of the batch: activity regularization
	state              any
}

// batch is the present step's.
type batch struct {
	samples int
	sparse  bool   // the first product skips zeros
	step    uint64 // optimizer steps taken before
	seed    uint64
}

func (t *tape) rows() int { return t.batch.samples * t.per }

// sparse reports whether zeros of the input are skipped.
func (t *tape) sparse() bool { return t.nonzeros != nil && t.batch.sparse }

// allocator is a node with state of its own on the tape.
type allocator interface{ allocate(t *tape, rows int) }

// scratch is a worker's memory.
type scratch struct {
	tile     [kernel.Width * kernel.Width]float32
	mask     [kernel.Width]float32
	top, sum [64]float32
	row      []float32 // predictions of a sample
	rowGrad  []float32
	chunk    [64 * kernel.Width]float32
	activity []float64 // where to add activity penalties, nil for nowhere
	own      own       // in training
	slots    [3][]float32
	_        [64]byte
}

// zeros stands for a bias that is not there.
var zeros [kernel.Width]float32

// elementwise has the answers of nodes that work on each element alone, in place.
type elementwise struct{}

func (elementwise) reach() reach       { return reachBlock }
func (elementwise) columns(in int) int { return in }
func (elementwise) keepsInput() bool   { return false }
func (elementwise) keepsOutput() bool  { return false }
func (elementwise) inPlace() bool      { return true }

// rowwise has the answers of nodes that work on each row alone.
type rowwise struct{}

func (rowwise) reach() reach       { return reachRows }
func (rowwise) columns(in int) int { return in }
func (rowwise) keepsInput() bool   { return false }
func (rowwise) keepsOutput() bool  { return false }
func (rowwise) inPlace() bool      { return false }
