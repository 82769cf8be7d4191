package savedmodel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
)

// Errors that callers branch on; every error of this package wraps one of them, one of package graph or one of the file
// system.
var (
	// ErrMalformed says that a file is damaged or contradicts itself.
	ErrMalformed = errors.New("savedmodel: malformed")
	// ErrNoMetaGraph says that no meta graph has the tags asked for; the message lists those there are.
	ErrNoMetaGraph = errors.New("savedmodel: no such meta graph")
	// ErrNoVariables says that the model has variables but their values are missing.
	ErrNoVariables = errors.New("savedmodel: variables missing")
)

// The file names inside a SavedModel.
const (
	binaryFile      = "saved_model.pb"
	textFile        = "saved_model.pbtxt"
	fingerprintFile = "fingerprint.pb"
	kerasFile       = "keras_metadata.pb"
	variablesDir    = "variables"
	variablesPrefix = "variables" // inside variablesDir
	assetsDir       = "assets"
)

// TagServe is the tag of the meta graph to serve.
const TagServe = "serve"

// SavedModel is a SavedModel directory as read by Read.
type SavedModel struct {
	Dir               string
	MetaGraphs        []*MetaGraph
	TensorFlowVersion string // of the TensorFlow that wrote it; "" if it does not say
	KerasVersion      string // of the Keras that wrote it; "" if it does not say, as from Keras 3 on
	// Fingerprint holds the model's checksums; nil if there is no (readable) fingerprint.pb.
	Fingerprint *tfproto.FingerprintDef
}

// MetaGraph is one variant of the model, chosen by its tags: for serving, for training, for a GPU.
type MetaGraph struct {
	Tags []string // as the file lists them
	Def  *tfproto.MetaGraphDef

	dir string
}

// IsSavedModel reports whether path is a directory that holds a saved_model.pb or saved_model.pbtxt.
func IsSavedModel(path string) bool {
	for _, name := range []string{binaryFile, textFile} {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// Read reads the SavedModel in a directory; the path of its saved_model.pb will do too. Variables and assets are not
// touched yet.
func Read(dir string) (*SavedModel, error) {
	switch filepath.Base(dir) {
	case binaryFile, textFile:
		if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() {
			dir = filepath.Dir(dir)
		}
	}
	def, path, err := readDef(dir)
	if err != nil {
		return nil, err
	}
	if len(def.MetaGraphs) == 0 {
		return nil, fmt.Errorf("%w: %s: it has no meta graphs", ErrMalformed, path)
	}
	m := &SavedModel{Dir: dir, Fingerprint: readFingerprint(dir)}
	for _, mg := range def.MetaGraphs {
		m.MetaGraphs = append(m.MetaGraphs, &MetaGraph{Tags: mg.GetMetaInfoDef().GetTags(), Def: mg, dir: dir})
		if m.TensorFlowVersion == "" {
			m.TensorFlowVersion = mg.GetMetaInfoDef().GetTensorflowVersion()
		}
	}
	m.KerasVersion = kerasVersion(m)
	return m, nil
}

// readDef reads saved_model.pb, or saved_model.pbtxt where the former is missing.
func readDef(dir string) (*tfproto.SavedModel, string, error) {
	path := filepath.Join(dir, binaryFile)
	data, err := readFile(path)
	text := errors.Is(err, os.ErrNotExist)
	if text {
		path = filepath.Join(dir, textFile)
		if data, err = readFile(path); errors.Is(err, os.ErrNotExist) {
			if _, err := os.Stat(dir); err != nil {
				return nil, "", err
			}
			return nil, "", fmt.Errorf("%w: %s holds no %s and no %s: it is not a SavedModel", os.ErrNotExist, dir, binaryFile, textFile)
		}
	}
	if err != nil {
		return nil, "", err
	}
	def, err := parseDef(data, text)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return def, path, nil
}

func parseDef(data []byte, text bool) (*tfproto.SavedModel, error) {
	def := &tfproto.SavedModel{}
	unmarshal := proto.Unmarshal
	if text {
		unmarshal = prototext.UnmarshalOptions{DiscardUnknown: true}.Unmarshal
	}
	if err := unmarshal(data, def); err != nil {
		return nil, fmt.Errorf("%w: not a SavedModel, or a truncated one: %w", ErrMalformed, err)
	}
	return def, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > graph.MaxFile {
		return nil, fmt.Errorf("%w: %s has %d bytes; a protocol buffer has at most 2 GiB", ErrMalformed, path, info.Size())
	}
	return os.ReadFile(path)
}

// readFingerprint returns nil where the file is missing or damaged: nothing depends on it.
func readFingerprint(dir string) *tfproto.FingerprintDef {
	data, err := readFile(filepath.Join(dir, fingerprintFile))
	if err != nil {
		return nil
	}
	f := &tfproto.FingerprintDef{}
	if err := proto.Unmarshal(data, f); err != nil {
		return nil
	}
	return f
}

// MetaGraph returns the meta graph that has exactly the given tags, in any order. Without tags it is the one tagged "serve"
// alone, else the only one with "serve" among its tags, else the only one.
func (m *SavedModel) MetaGraph(tags ...string) (*MetaGraph, error) {
	var exact, serve []*MetaGraph
	want := tags
	if len(want) == 0 {
		want = []string{TagServe}
	}
	for _, mg := range m.MetaGraphs {
		if sameSet(mg.Tags, want) {
			exact = append(exact, mg)
		}
		if slices.Contains(mg.Tags, TagServe) {
			serve = append(serve, mg)
		}
	}
	switch {
	case len(exact) > 0:
		return exact[0], nil
	case len(tags) == 0 && len(serve) == 1:
		return serve[0], nil
	case len(tags) == 0 && len(m.MetaGraphs) == 1:
		return m.MetaGraphs[0], nil
	}
	have := make([]string, len(m.MetaGraphs))
	for i, mg := range m.MetaGraphs {
		have[i] = "[" + strings.Join(mg.Tags, ",") + "]"
	}
	return nil, fmt.Errorf("%w: %s: none has the tags [%s]; the model has %s", ErrNoMetaGraph, m.Dir, strings.Join(want, ","), strings.Join(have, " "))
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
