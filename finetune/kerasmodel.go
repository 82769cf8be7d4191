package finetune

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// layer gives a layer a name.
func layer(name string, l keras.LayerConfig) keras.LayerConfig { return l.With("name", name) }

// kerasModel returns the network as a Keras Sequential: what the data need first, the trained layers, and for a regression
// the way back to the target's unit.
func (s *session) kerasModel(weights []train.Weight) (*keras.Model, error) {
	layers := []keras.LayerConfig{layer("inputs", keras.Input(s.data.input.shape...))}
	if s.data.input.scale != 0 && s.data.input.preprocess == images.None.String() {
		layers = append(layers, keras.Rescaling(float64(s.data.input.scale), 0))
	}
	if len(s.data.input.shape) > 1 {
		layers = append(layers, keras.Flatten())
	}
	m, err := keras.NewSequential("sequential", append(layers, s.headLayers()...)...)
	if err != nil {
		return nil, err
	}
	return m, m.SetWeights(valuesOf(weights))
}

// headLayers are those on the features: the scaling, the trained layers, and for a regression the unit.
func (s *session) headLayers() []keras.LayerConfig {
	h := &s.report.Hyperparameters
	var layers []keras.LayerConfig
	if t := s.data.input.table; t.Mean != nil {
		variance := make([]float64, len(t.Deviation))
		for i, d := range t.Deviation {
			variance[i] = d * d
		}
		layers = append(layers, normalization("normalization", t.Mean, variance))
	}
	for i, units := range h.Hidden {
		layers = append(layers, keras.Dense(units, h.Activation))
		if h.Dropout > 0 {
			layers = append(layers, layer(fmt.Sprintf("dropout_%d", i), keras.Dropout(h.Dropout)))
		}
	}
	layers = append(layers, keras.Dense(s.outputs, s.output))
	if s.data.classes == nil {
		layers = append(layers, layer("unit", keras.Rescaling(s.data.target.Deviation[0], s.data.target.Mean[0])))
	}
	return layers
}

// normalization is (x - mean) / √variance along the last axis.
func normalization(name string, mean, variance []float64) keras.LayerConfig {
	return layer(name, keras.LayerConfig{Class: "Normalization"}).With("axis", []any{-1.0}).With("invert", false).With("mean", anys(mean)).With("variance", anys(variance))
}

func anys(x []float64) []any {
	y := make([]any, len(x))
	for i, v := range x {
		y[i] = v
	}
	return y
}

func valuesOf(weights []train.Weight) []*tensor.Tensor {
	values := make([]*tensor.Tensor, len(weights))
	for i, w := range weights {
		values[i] = w.Value
	}
	return values
}

// exportKeras writes base and head as one Keras model of images, 0 … 255, of any size, and compares what it answers with the trained
// one. Bases that are no Keras files have none; nor has a cut in the middle of a layer, which the log says.
func (s *session) exportKeras(base, head []train.Weight, model train.Trainable) error {
	path := filepath.Join(s.results, "model.keras")
	m, err := kerasBase(s.o.Base)
	if m == nil {
		return err
	}
	values := map[string]*tensor.Tensor{}
	for _, w := range base {
		values[w.Name] = w.Value
	}
	for _, v := range m.Variables() {
		if w := values[v.Node()]; w != nil {
			v.Value = w
		}
	}
	part, err := m.Cut(s.base.cut)
	if errors.Is(err, keras.ErrUnsupported) {
		s.o.logf("model.keras is not written: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	whole, err := s.kerasOnBase(part, head)
	if err != nil {
		return fmt.Errorf("exporting model.keras: %w", err)
	}
	if err := keras.Write(path, whole); err != nil {
		return err
	}
	return s.verifyKeras(path, model)
}

// kerasOnBase puts resizing, preprocessing, the base and the head one behind the other.
func (s *session) kerasOnBase(part *keras.Model, head []train.Weight) (*keras.Model, error) {
	shape := s.base.shape
	layers := []keras.LayerConfig{layer("image", keras.Input(-1, -1, shape[2])),
		keras.LayerConfig{Class: "Resizing"}.With("height", shape[0]).With("width", shape[1]).With("interpolation", "bilinear")}
	prepare, weights := s.base.kerasPreprocessing()
	layers = append(layers, prepare...)
	base, err := part.AsLayer()
	if err != nil {
		return nil, err
	}
	layers = append(layers, layer("base", base))
	switch len(part.Outputs[0].Shape) {
	case 2:
	case 4:
		layers = append(layers, keras.LayerConfig{Class: "GlobalAveragePooling2D"})
	default:
		layers = append(layers, keras.Flatten())
	}
	m, err := keras.NewSequential("model", append(layers, s.headLayers()...)...)
	if err != nil {
		return nil, err
	}
	return m, m.SetWeights(append(append(weights, part.Weights()...), valuesOf(head)...))
}

// kerasPreprocessing returns the layers that do what images.Preprocess does, with their weights.
func (b *base) kerasPreprocessing() ([]keras.LayerConfig, []*tensor.Tensor) {
	switch colour := b.shape[2] == 3; {
	case b.preprocess == images.Unit:
		return []keras.LayerConfig{keras.Rescaling(1.0/255, 0)}, nil
	case b.preprocess == images.TF:
		return []keras.LayerConfig{keras.Rescaling(1/127.5, -1)}, nil
	case b.preprocess == images.Torch && colour:
		mean, variance := []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
		for i := range mean {
			mean[i] *= 255
			variance[i] = (variance[i] * 255) * (variance[i] * 255)
		}
		return []keras.LayerConfig{normalization("preprocessing", mean, variance)}, nil
	case b.preprocess == images.Caffe && colour: // red and blue change places
		swap := keras.LayerConfig{Class: "Conv2D"}.With("name", "preprocessing").With("filters", 3).With("kernel_size", []any{1.0, 1.0}).With("trainable", false)
		return []keras.LayerConfig{swap}, []*tensor.Tensor{tensor.Must(tensor.Of([]float32{0, 0, 1, 0, 1, 0, 1, 0, 0}, 1, 1, 3, 3)),
			tensor.Must(tensor.Of([]float32{-103.939, -116.779, -123.68}))}
	default:
		return nil, nil
	}
}

// verifyKeras asks the written model about images of the training data and compares with the trained one's answers.
func (s *session) verifyKeras(path string, model train.Trainable) error {
	loaded, err := cambium.Load(path, nil)
	if err != nil {
		return fmt.Errorf("the exported model: %w", err)
	}
	defer func() { _ = loaded.Close() }()
	return s.eachExample(model, func(p picture, want []float32) error {
		content, err := p.content()
		if err != nil {
			return err
		}
		x, err := p.raw(context.Background(), content)
		if err != nil {
			return err
		}
		if x, err = x.Reshape(append([]int{1}, s.base.shape...)...); err != nil {
			return err
		}
		got, err := loaded.Predict(context.Background(), x)
		if err != nil {
			return fmt.Errorf("the exported model: %w", err)
		}
		return s.sameAnswer(path, want, got)
	})
}
