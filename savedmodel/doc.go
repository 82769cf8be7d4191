// Package savedmodel reads and writes SavedModel directories, TensorFlow's format of exported models, in pure Go.
//
//	model/
//	  saved_model.pb             one or more MetaGraphDefs: a graph, its signatures, tags (or saved_model.pbtxt)
//	  variables/variables.index  the tensor bundle: a sorted table, name → type, shape, place, checksum
//	  variables/variables.data-00000-of-00001
//	  assets/                    files that ops read: vocabularies …
//	  fingerprint.pb             checksums (TensorFlow 2.11 and newer), optional
//
// A model of TensorFlow 1 keeps its nodes in the graph and restores VariableV2 nodes; one of TensorFlow 2 (Keras too) calls
// functions and restores resource variables. Both become a graph.Graph:
//
//	m, err := savedmodel.Read("model")
//	mg, err := m.MetaGraph()        // the one tagged "serve"
//	g, err := mg.Graph()            // nodes, signatures, where the checkpoint is
//	err = savedmodel.ReadVariables(g) // the values, from the tensor bundle
//
// # Caveats
//
// Everything a file says about itself is checked against what the file can hold; a model from elsewhere can still do harm
// when it runs: see graph.Scan. Asset paths that lead out of the directory are refused.
package savedmodel
