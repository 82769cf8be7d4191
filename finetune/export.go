package finetune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// export writes the trained model in the formats that others load, and checks that it gives what the trained one gives.
func (s *session) export(model train.Trainable) error {
	weights, err := model.Weights(true)
	if err != nil {
		return err
	}
	own := len(weights) - 2*(len(s.report.Hyperparameters.Hidden)+1) // of a base's that was trained, too
	m, err := s.kerasModel(weights[own:])
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	if s.base == nil {
		if err := keras.Write(filepath.Join(s.results, "model.keras"), m); err != nil {
			return err
		}
	}
	g, err := m.Graph()
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	if err := s.signature(g); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	if s.base != nil {
		if g, err = s.base.onBase(g); err != nil {
			return fmt.Errorf("exporting: %w", err)
		}
	}
	dir := filepath.Join(s.results, "saved_model")
	err = savedmodel.Write(dir, g, savedmodel.WriteOptions{Prefix: "cambium_" + fingerprint(weights), Trainable: func(string) bool { return true }})
	if err != nil {
		return err
	}
	if err := s.labelAsset(dir); err != nil {
		return err
	}
	if s.base == nil {
		return s.verify(dir, model)
	}
	if err := s.verifyOnBase(dir, model); err != nil {
		return err
	}
	return s.exportKeras(weights[:own], weights[own:], model)
}

// labelAsset puts the classes' names into the model, as assets.extra/labels.txt: the folder is where TensorFlow wants files that
// belong to a model and that it does not read itself.
func (s *session) labelAsset(dir string) error {
	if s.data.classes == nil {
		return nil
	}
	extra := filepath.Join(dir, "assets.extra")
	if err := os.Mkdir(extra, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(extra, labelsFile), s.labels)
}

// labels writes the classes' names, one a line.
func (s *session) labels(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(s.data.classes, "\n")+"\n")
	return err
}

// fingerprint is a hash of weights: variables of different models on one TensorFlow server must not share a name.
func fingerprint(weights []train.Weight) string { return fingerprintOf(valuesOf(weights)) }

func fingerprintOf(values []*tensor.Tensor) string {
	h := sha256.New()
	for _, v := range values {
		h.Write(v.Bytes())
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// signature names the graph's ends as a user of the model wants them: probabilities, [batch, classes], and class, the name of
// the likeliest; prediction for a regression.
func (s *session) signature(g *graph.Graph) error {
	sig := &g.Signatures[0]
	sig.Inputs[0].Name = "inputs"
	out := sig.Outputs[0]
	if s.data.classes == nil {
		sig.Outputs[0].Name = "prediction"
		return nil
	}
	b := graph.NewBuilder()
	probabilities := graph.Ref(out.Tensor)
	if s.outputs == 1 { // a sigmoid: the other class has what is left
		one := b.Const("class/one", tensor.Scalar(float32(1)))
		rest := b.Op("Sub", "class/rest", []graph.Ref{one, probabilities}, graph.Attrs{"T": tensor.Float32})
		probabilities = b.Op("ConcatV2", "class/probabilities", []graph.Ref{rest, probabilities, b.Int("class/concat_axis", 1)},
			graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "N": 2})
	}
	names, err := tensor.Of(s.data.classes)
	if err != nil {
		return err
	}
	index := b.Op("ArgMax", "class/index", []graph.Ref{probabilities, b.Int("class/argmax_axis", 1)},
		graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "output_type": tensor.Int64})
	class := b.Op("GatherV2", "class/name", []graph.Ref{b.Const("class/names", names), index, b.Int("class/gather_axis", 0)},
		graph.Attrs{"Tparams": tensor.String, "Tindices": tensor.Int64, "Taxis": tensor.Int32, "batch_dims": 0})
	added, err := b.Finish()
	if err != nil {
		return err
	}
	g.Def = &tfproto.GraphDef{Node: append(g.Def.GetNode(), added.Def.GetNode()...), Library: g.Def.GetLibrary(), Versions: g.Def.GetVersions()}
	sig.Outputs = []graph.Port{
		{Name: "class", DType: tensor.String, Shape: tensor.Shape{-1}, Tensor: class.Tensor()},
		{Name: "probabilities", DType: tensor.Float32, Shape: tensor.Shape{-1, len(s.data.classes)}, Tensor: probabilities.Tensor()},
	}
	return nil
}

const (
	// verifySamples is how many samples the exported model is asked about.
	verifySamples = 64
	// verifyTolerance is how far its answers may be off, relative above 1: rounding differs between engines.
	verifyTolerance = 1e-4
	// halfTolerance is that where the base computes with 8 to 11 bits, whose sums depend on the number of threads.
	halfTolerance = 1e-2
	// roundingTolerance is float32's, of a regression's numbers.
	roundingTolerance = 1e-6
)

// verify loads the exported model and compares its answers with the trained one's.
func (s *session) verify(dir string, model train.Trainable) error {
	loaded, err := cambium.Load(dir, nil)
	if errors.Is(err, cambium.ErrUnsupported) || errors.Is(err, tfbridge.ErrNotBuilt) {
		return nil // this build has no engine for it
	}
	if err != nil {
		return fmt.Errorf("the exported model: %w", err)
	}
	defer loaded.Close()
	rows := min(verifySamples, s.data.training.Samples())
	want := make([]float32, rows*s.outputs)
	bound, err := model.Bind(&train.Dataset{X: s.data.training.X, Scale: s.data.training.Scale})
	if err != nil {
		return err
	}
	defer bound.Close()
	if err := bound.Evaluate(all(s.data.training)[:rows], rows, want, nil); err != nil {
		return err
	}
	x, err := s.asked(rows)
	if err != nil {
		return err
	}
	answers, err := loaded.Call(context.Background(), map[string]*tensor.Tensor{"inputs": x})
	if err != nil {
		return fmt.Errorf("the exported model: %w", err)
	}
	return s.sameAnswers(dir, want, answers)
}

// asked returns samples as a user of the exported model has them.
func (s *session) asked(rows int) (*tensor.Tensor, error) {
	d := s.data.training
	part, err := d.X.Rows(0, rows)
	if err != nil {
		return nil, err
	}
	x := make([]float32, part.Len())
	if part.DType() == tensor.Uint8 {
		scale := d.FeatureScale()
		if s.data.input.preprocess == "none" {
			scale = 1 // the model does it
		}
		for i, b := range part.Bytes() {
			x[i] = float32(b) * scale
		}
	} else {
		values, err := tensor.Data[float32](part)
		if err != nil {
			return nil, err
		}
		t := s.data.input.table
		for i, v := range values {
			c := i % len(t.Mean)
			x[i] = float32(float64(v)*t.Deviation[c] + t.Mean[c])
		}
	}
	return tensor.Of(x, append([]int{rows}, s.data.input.shape...)...)
}

func (s *session) sameAnswers(dir string, want []float32, answers map[string]*tensor.Tensor) error {
	name := "probabilities"
	if s.data.classes == nil {
		name = "prediction"
	}
	return s.sameAnswer(dir, want, answers[name])
}

func (s *session) sameAnswer(path string, want []float32, answer *tensor.Tensor) error {
	got, err := tensor.Data[float32](answer)
	if err != nil {
		return fmt.Errorf("the exported model %s: %w", path, err)
	}
	tolerance := verifyTolerance
	if s.base != nil && s.base.half() {
		tolerance = halfTolerance
	}
	step := len(got) * s.outputs / len(want) // 2 numbers for a sigmoid's one
	scale, shift := 1.0, 0.0                 // of the model's own numbers
	if s.data.classes == nil {
		scale, shift = s.data.target.Deviation[0], s.data.target.Mean[0]
	}
	for i, w := range want {
		expected := float64(w)*scale + shift
		at := i
		if s.outputs == 1 {
			at = i*step + step - 1
		}
		tolerance := tolerance*scale*max(1, math.Abs(float64(w))) + roundingTolerance*math.Abs(shift)
		if d := math.Abs(float64(got[at]) - expected); !(d <= tolerance) {
			return fmt.Errorf("%s: the exported model answers %v where the trained one answers %v (sample %d)",
				filepath.Join(s.o.Out, filepath.Base(path)), got[at], expected, i/s.outputs)
		}
	}
	return nil
}
