package cambium

import (
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
)

// Scan lists the ops of a model, of every meta graph of a SavedModel, that reach outside of it: files, the network, the host's
// code, and ops that TensorFlow does not define.
func Scan(path string) ([]graph.Finding, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	if format != SavedModel {
		g, err := ReadGraph(path)
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
