package cambium

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/keras"
)

// Preprocessing says how a model wants its images, where its files say so. Finetune writes it into the report.json beside a
// model, as "preprocess"; a Keras model says it by a Rescaling or Normalization layer behind its input, or by the name of a
// known architecture. The second result is false where nothing says.
func Preprocessing(path string, opts ...keras.Option) (images.Preprocess, bool, error) {
	how, ok, err := reportedPreprocessing(filepath.Join(filepath.Dir(filepath.Clean(path)), "report.json"))
	if ok || err != nil {
		return how, ok, err
	}
	format, err := Detect(path)
	if err != nil || (format != Keras && format != H5) {
		return images.None, false, err
	}
	m, err := keras.Load(path, opts...)
	if err != nil {
		return images.None, false, err
	}
	if rescales(m) {
		return images.None, true, nil
	}
	how, ok = architecturePreprocessing(m.Name)
	return how, ok, nil
}

func reportedPreprocessing(report string) (images.Preprocess, bool, error) {
	text, err := os.ReadFile(report)
	if errors.Is(err, fs.ErrNotExist) {
		return images.None, false, nil
	}
	if err != nil {
		return images.None, false, err
	}
	var says struct {
		Preprocess string `json:"preprocess"`
	}
	if err := json.Unmarshal(text, &says); err != nil {
		return images.None, false, foreignReport(report, err)
	}
	if says.Preprocess == "" {
		return images.None, false, nil
	}
	how, err := images.ParsePreprocess(says.Preprocess)
	if err != nil {
		return how, false, foreignReport(report, err)
	}
	return how, true, nil
}

func foreignReport(report string, err error) error {
	return fmt.Errorf("%s: it does not say as finetune's would how the model beside it wants its images (--preprocess says it in its place): %w", report, err)
}

// rescales reports whether the first layers of a model bring 0 … 255 into range themselves. Layers that change an image's size or
// augment it do not count.
func rescales(m *keras.Model) bool {
	layers := slices.DeleteFunc(slices.Clone(m.Layers), func(l *keras.Layer) bool {
		return strings.HasPrefix(l.Class, "Random") || l.Class == "Resizing" || l.Class == "CenterCrop"
	})
	for _, l := range layers[:min(len(layers), 4)] {
		if l.Class == "Rescaling" || l.Class == "Normalization" || (l.Model != nil && rescales(l.Model)) {
			return true
		}
	}
	return false
}

// architectures are the models of keras.applications by the beginnings of their names, the longer ones first, with what
// their preprocess_input does. (Those with a Rescaling layer of their own need no entry.)
var architectures = []struct {
	prefix string
	how    images.Preprocess
}{
	{"mobilenet", images.TF}, {"inception", images.TF}, {"xception", images.TF}, {"nasnet", images.TF},
	{"resnet50v2", images.TF}, {"resnet101v2", images.TF}, {"resnet152v2", images.TF},
	{"resnet50", images.Caffe}, {"resnet101", images.Caffe}, {"resnet152", images.Caffe}, {"vgg16", images.Caffe}, {"vgg19", images.Caffe},
	{"densenet", images.Torch},
}

func architecturePreprocessing(name string) (images.Preprocess, bool) {
	name = strings.ToLower(name)
	for _, a := range architectures {
		if strings.HasPrefix(name, a.prefix) {
			return a.how, true
		}
	}
	return images.None, false
}
