package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/tfbridge"
)

// modelOptions are the flags of every subcommand that runs a model.
type modelOptions struct {
	engine       string
	architecture architecture
	threads      int
	device       string
	tags         string
	signature    string
	verbose      bool
	trust        bool
}

func (o *modelOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.engine, "engine", "auto", "what runs the model: `auto|tensorflow|native`")
	f.IntVar(&o.threads, "threads", 0, "threads for one operation; 0 chooses")
	f.StringVar(&o.device, "device", "auto", "`auto|cpu|gpu|gpu:N`")
	f.StringVar(&o.tags, "tags", "", "meta graph of a SavedModel, by its `TAG,TAG`")
	f.StringVar(&o.signature, "signature", "", "signature to call, by its `NAME`; default: the only one, else serving_default")
	o.architecture.addFlag(c)
	f.BoolVar(&o.trust, "trust", false, "run a model even if it reaches files, the network or host code; see 'infer scan'")
	f.BoolVar(&o.verbose, "verbose", false, "show TensorFlow's own log lines")
}

func (o *modelOptions) check() error {
	switch cambium.Engine(o.engine) {
	case cambium.Auto, cambium.TensorFlow, cambium.Native:
	default:
		return cli.UsageError("--engine %s: the engines are auto, tensorflow and native", o.engine)
	}
	if o.threads < 0 {
		return cli.UsageError("--threads %d: needs a positive number, or 0 to choose", o.threads)
	}
	if err := (&tfbridge.Options{Device: o.device}).Check(); err != nil {
		return cli.UsageError("--device: %w", err)
	}
	return nil
}

// load loads a model as the flags say.
func (o *modelOptions) load(path string) (cambium.Model, error) {
	if o.engine != string(cambium.Native) {
		if err := cli.HandOver(); err != nil {
			return nil, err
		}
	}
	files, err := o.architecture.options()
	if err != nil {
		return nil, err
	}
	opts := &cambium.Options{
		Keras:        files,
		Engine:       cambium.Engine(o.engine),
		Signature:    o.signature,
		Threads:      o.threads,
		RefuseUnsafe: !o.trust,
		TensorFlow:   tfbridge.Options{Device: o.device, SoftPlacement: true},
	}
	if o.tags != "" {
		opts.Tags = strings.Split(o.tags, ",")
	}
	if o.verbose {
		opts.TensorFlow.LogLevel = tfbridge.LogInfo
	}
	m, err := cambium.Load(path, opts)
	if errors.Is(err, cambium.ErrUnsafe) {
		return nil, fmt.Errorf("%w; if you know where it is from, run it with --trust", err)
	}
	return m, o.architecture.hint(err)
}

// chosen returns the signature that the model will be called by.
func (o *modelOptions) chosen(path string, m cambium.Model) (graph.Signature, error) {
	s, err := (&graph.Graph{Signatures: m.Signatures()}).Signature(o.signature)
	if err == nil {
		return *s, nil
	}
	if info, _ := cambium.Inspect(path); info != nil && len(m.Signatures()) == 0 && len(info.MetaGraphs[0].Functions) > 0 {
		list := strings.Join(info.MetaGraphs[0].Functions, ", ")
		err = fmt.Errorf("%w; its functions (%s) can only be called from Python: save it with signatures, tf.saved_model.save(module, dir, signatures=module.%[2]s)", err, list)
	}
	return graph.Signature{}, fmt.Errorf("%s: %w", path, err)
}
