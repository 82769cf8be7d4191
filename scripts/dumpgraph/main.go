// Dumpgraph writes what this module makes of a model, for parity_savedmodel.py to compare with TensorFlow's view of it:
//
//	go run ./scripts/dumpgraph MODEL OUT
//
// OUT gets model.json, which holds the signatures of each meta graph, a hash of every tensor of the checkpoint, and the names of
// the graphs and SavedModels beside it: the model inlined, frozen and written anew, and each signature flat and folded.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

type model struct {
	TensorFlow string            `json:"tensorflow"`
	MetaGraphs []metaGraph       `json:"meta_graphs"`
	Bundle     map[string]string `json:"bundle,omitempty"` // key -> "dtype shape sha256"
}

type metaGraph struct {
	Tags       []string          `json:"tags"`
	Signatures []graph.Signature `json:"signatures"`
	Parameters int64             `json:"parameters"`
	Findings   []graph.Finding   `json:"findings"`
	Graphs     []dumped          `json:"graphs"`
	Exports    []string          `json:"exports"`
}

// dumped is a GraphDef in a file, and what a session needs to run it.
type dumped struct {
	File       string            `json:"file"`
	Pass       string            `json:"pass"`
	Signatures []graph.Signature `json:"signatures"`
	Checkpoint *graph.Checkpoint `json:"checkpoint,omitempty"`
	Init       graph.Init        `json:"init"`
	Kept       []graph.Kept      `json:"kept,omitempty"`
	Ops        map[string]int    `json:"ops"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: dumpgraph MODEL OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "dumpgraph:", err)
		os.Exit(1)
	}
}

func run(path, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	m := model{}
	if savedmodel.IsSavedModel(path) {
		s, err := savedmodel.Read(path)
		if err != nil {
			return err
		}
		m.TensorFlow = s.TensorFlowVersion
		for i, mg := range s.MetaGraphs {
			g, err := mg.Graph()
			if err != nil {
				return err
			}
			if err := m.add(g, mg.Tags, filepath.Join(out, "m"+strconv.Itoa(i))); err != nil {
				return err
			}
			if g.Checkpoint != nil && m.Bundle == nil {
				if m.Bundle, err = hashBundle(g.Checkpoint.Prefix); err != nil {
					return err
				}
			}
		}
	} else {
		g, err := graph.ReadFrozen(path)
		if err != nil {
			return err
		}
		if err := m.add(g, nil, filepath.Join(out, "m0")); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "model.json"), data, 0o600)
}

// export writes a meta graph as a SavedModel again: with variables, and frozen where no variable has to stay.
func (mg *metaGraph) export(g *graph.Graph, prefix string) error {
	opts := savedmodel.WriteOptions{Tags: mg.Tags, Prefix: "exported/", Trainable: func(string) bool { return true }}
	if err := savedmodel.Write(prefix+".variables", g, opts); err != nil {
		return err
	}
	mg.Exports = append(mg.Exports, prefix+".variables")
	opts.Frozen = true
	err := savedmodel.Write(prefix+".frozen", g, opts)
	if errors.Is(err, graph.ErrUnsupported) {
		return nil
	}
	mg.Exports = append(mg.Exports, prefix+".frozen")
	return err
}

// add dumps a meta graph: as it is, inlined, and each signature.
func (m *model) add(g *graph.Graph, tags []string, prefix string) error {
	mg := metaGraph{Tags: tags, Signatures: g.Signatures, Parameters: g.Parameters(), Findings: graph.Scan(g)}
	inlined, err := graph.Inline(g)
	if err != nil {
		return err
	}
	if err := mg.dump(inlined, "inline", prefix+".inline.pb", nil); err != nil {
		return err
	}
	if err := savedmodel.ReadVariables(g); err != nil {
		return err
	}
	if err := mg.export(g, prefix); err != nil {
		return err
	}
	frozen, kept, err := graph.Freeze(g)
	if err != nil {
		return err
	}
	if err := mg.dump(frozen, "freeze", prefix+".freeze.pb", kept); err != nil {
		return err
	}
	for i, s := range g.Signatures {
		flat, err := graph.ForSignature(g, s.Name)
		if err != nil {
			return fmt.Errorf("signature %s: %w", s.Name, err)
		}
		if err := mg.dump(flat, "flat", fmt.Sprintf("%s.s%d.flat.pb", prefix, i), nil); err != nil {
			return err
		}
		folded, err := graph.Fold(flat)
		if err != nil {
			return fmt.Errorf("signature %s: %w", s.Name, err)
		}
		if err := mg.dump(folded, "fold", fmt.Sprintf("%s.s%d.fold.pb", prefix, i), nil); err != nil {
			return err
		}
	}
	m.MetaGraphs = append(m.MetaGraphs, mg)
	return nil
}

func (mg *metaGraph) dump(g *graph.Graph, pass, path string, kept []graph.Kept) error {
	if err := g.Check(); err != nil {
		return fmt.Errorf("after %s: %w", pass, err)
	}
	data, err := proto.Marshal(g.Def)
	if err != nil {
		return err
	}
	d := dumped{File: path, Pass: pass, Signatures: g.Signatures, Checkpoint: g.Checkpoint, Init: g.Init, Kept: kept, Ops: map[string]int{}}
	for _, n := range g.Def.Node {
		d.Ops[n.Op]++
	}
	mg.Graphs = append(mg.Graphs, d)
	return os.WriteFile(path, data, 0o600)
}

// hashBundle reads every tensor of a checkpoint.
func hashBundle(prefix string) (map[string]string, error) {
	b, err := savedmodel.OpenBundle(prefix)
	if err != nil {
		return nil, err
	}
	hashes := map[string]string{}
	for _, key := range b.Keys() {
		t, err := b.Read(key)
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		if t.DType() == tensor.String {
			s, err := tensor.Data[string](t)
			if err != nil {
				return nil, err
			}
			for _, x := range s {
				_, _ = fmt.Fprintf(h, "%d:%s", len(x), x)
			}
		} else {
			_, _ = h.Write(t.Bytes())
		}
		hashes[key] = fmt.Sprintf("%v %v %s", t.DType(), t.Shape(), hex.EncodeToString(h.Sum(nil)))
	}
	return hashes, nil
}
