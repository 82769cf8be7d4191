package cambium

import (
	"errors"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
)

// Scan lists the ops of a model, of every meta graph of a SavedModel, that reach outside of it: files, the network, the host's
// code, and ops that TensorFlow does not define; and the layers of a Keras file that hold Python code or are of a class that Keras
// does not have.
func Scan(path string, opts ...keras.Option) ([]graph.Finding, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	if format != SavedModel {
		g, err := readGraph(path, nil, opts)
		var custom *keras.CustomObjectError
		if errors.As(err, &custom) {
			return customFindings(custom.Objects), nil
		}
		if err != nil {
			return nil, err
		}
		return graph.Scan(g), nil
	}
	m, err := savedmodel.Read(path)
	if err != nil {
		return nil, err
	}
	var findings []graph.Finding
	for _, mg := range m.MetaGraphs {
		g, err := mg.Graph()
		if err != nil {
			return nil, err
		}
		findings = append(findings, graph.Scan(g)...)
	}
	return findings, nil
}

// customFindings are the layers that keep a Keras file from being a graph. In Python, loading the file runs their code.
func customFindings(objects []keras.CustomObject) []graph.Finding {
	var findings []graph.Finding
	for _, o := range objects {
		f := graph.Finding{Severity: graph.Medium, Op: o.Class, Where: o.Path, ReachableFrom: graph.DefaultSignature, Why: "is a class that Keras does not have"}
		if o.Code() {
			f.Severity, f.Why = graph.High, "holds Python code"
		}
		findings = append(findings, f)
	}
	return findings
}
