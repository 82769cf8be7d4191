package cambium

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tfbridge"
)

// Engine names what runs a model.
type Engine string

// The engines.
const (
	Auto       Engine = "auto"       // TensorFlow where it is built in, else native
	TensorFlow Engine = "tensorflow" // TensorFlow's kernels, through libtensorflow
	Native     Engine = "native"     // pure Go: dense networks
)

// ErrUnsupported says that there is no such engine.
var ErrUnsupported = errors.New("unsupported")

// ErrUnsafe says that a model reaches outside of itself, to files, the network or the host's code; the message says where.
var ErrUnsafe = errors.New("unsafe model")

// Options say how a model is loaded. The zero value, and nil, are what most programs want.
type Options struct {
	// Engine runs the model; "" means Auto.
	Engine Engine
	// Tags pick a SavedModel's meta graph; nil means the one tagged "serve", or the only one.
	Tags []string
	// Signature is the one that Call and Predict use; "" means the only one, else serving_default.
	Signature string
	// Threads is how many threads one operation may use; 0 lets the engine choose.
	Threads int
	// RefuseUnsafe makes Load fail with ErrUnsafe where loading the model or calling a signature would run an op that
	// reaches outside of it; see [graph.Scan].
	RefuseUnsafe bool
	// Keras holds what only Keras files need: [keras.WithArchitecture] for a file that holds nothing but weights.
	Keras []keras.Option
	// TensorFlow holds what only the TensorFlow engine knows: device, memory, time limit, log level, ConfigProto. Its Signature
	// and Threads count where those above are not set.
	TensorFlow tfbridge.Options
}

// Load reads the model at path, of any format that [Detect] knows, and makes it ready to be called.
//
// Errors wrap [ErrFormat], [ErrUnsupported], [ErrUnsafe], [graph.ErrNoSignature], [savedmodel.ErrNoMetaGraph],
// [dense.ErrUnsupported], an error of package keras or tfbridge, or one of package io/fs.
func Load(path string, opts *Options) (Model, error) {
	if opts == nil {
		opts = &Options{}
	}
	switch opts.Engine {
	case Native:
		return loadNative(path, opts)
	case TensorFlow:
		return loadTensorFlow(path, opts)
	case "", Auto:
		return loadAuto(path, opts)
	default:
		return nil, fmt.Errorf("%w: there is no engine %q; the engines are auto, tensorflow and native", ErrUnsupported, opts.Engine)
	}
}

// loadAuto takes TensorFlow where it is built in. Elsewhere the native engine runs what it can, and the error for the rest
// says what is missing on both sides.
func loadAuto(path string, opts *Options) (Model, error) {
	if tfbridge.Available {
		return loadTensorFlow(path, opts)
	}
	m, err := loadNative(path, opts)
	if errors.Is(err, dense.ErrUnsupported) {
		_, missing := tfbridge.New(context.Background(), nil, tfbridge.Options{}) // says what to install
		return nil, fmt.Errorf("%w; %w", err, missing)
	}
	return m, err
}

func loadTensorFlow(path string, opts *Options) (Model, error) {
	g, err := readGraph(path, opts.Tags, opts.Keras)
	if err != nil {
		return nil, err
	}
	if opts.RefuseUnsafe {
		if err := checkSafe(path, g); err != nil {
			return nil, err
		}
	}
	o := opts.TensorFlow
	if opts.Signature != "" {
		o.Signature = opts.Signature
	}
	if opts.Threads != 0 {
		o.Threads = opts.Threads
	}
	m, err := tfbridge.New(context.Background(), g, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func checkSafe(path string, g *graph.Graph) error {
	for _, f := range graph.Scan(g) {
		if f.Severity == graph.High && f.ReachableFrom != "" {
			return fmt.Errorf("%s: %w: op %s (%s) %s, reachable from %s", path, ErrUnsafe, f.Op, f.Where, f.Why, f.ReachableFrom)
		}
	}
	return nil
}

// ReadGraph reads the model at path as a graph, in pure Go, without an engine. Tags pick a SavedModel's meta graph.
func ReadGraph(path string, tags ...string) (*graph.Graph, error) {
	return readGraph(path, tags, nil)
}

func readGraph(path string, tags []string, opts []keras.Option) (*graph.Graph, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	if err := checkTags(path, format, tags); err != nil {
		return nil, err
	}
	switch format {
	case SavedModel:
		m, err := savedmodel.Read(path)
		if err != nil {
			return nil, err
		}
		mg, err := m.MetaGraph(tags...)
		if err != nil {
			return nil, err
		}
		return mg.Graph()
	case GraphDef:
		return graph.ReadFrozen(path)
	default:
		m, err := keras.Load(path, opts...)
		if err != nil {
			return nil, err
		}
		return m.Graph()
	}
}

// checkTags says that tags mean nothing for a format that has no meta graphs to choose from.
func checkTags(path string, format Format, tags []string) error {
	if len(tags) == 0 || format == SavedModel {
		return nil
	}
	return fmt.Errorf("%s: %w: tags (%s) choose a meta graph of a SavedModel, and this is a %s file", path, savedmodel.ErrNoMetaGraph, strings.Join(tags, ","), format)
}

// EngineOf says which engine runs a model that Load returned.
func EngineOf(m Model) Engine {
	if _, ok := m.(*tfbridge.Model); ok {
		return TensorFlow
	}
	return Native
}
