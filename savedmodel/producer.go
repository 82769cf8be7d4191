package savedmodel

import (
	"encoding/json"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// kerasVersion finds the version of Keras 2 in the metadata of the model's objects: in keras_metadata.pb (TensorFlow 2.5 to
// 2.15) or, older, in the saved object graph. Keras 3 exports do not say.
func kerasVersion(m *SavedModel) string {
	if data, err := readFile(filepath.Join(m.Dir, kerasFile)); err == nil {
		if v := metadataVersion(data); v != "" {
			return v
		}
	}
	for _, mg := range m.MetaGraphs {
		for _, o := range mg.Def.GetObjectGraphDef().GetNodes() {
			if v := versionIn(o.GetUserObject().GetMetadata()); v != "" {
				return v
			}
		}
	}
	return ""
}

// metadataVersion walks keras_metadata.pb: SavedMetadata{repeated SavedObject nodes = 1}, SavedObject{string metadata = 5}
// (keras/protobuf/saved_metadata.proto).
func metadataVersion(data []byte) string {
	for _, node := range fields(data, 1) {
		for _, metadata := range fields(node, 5) {
			if v := versionIn(string(metadata)); v != "" {
				return v
			}
		}
	}
	return ""
}

// fields returns the length-delimited fields with the given number, up to the first damage.
func fields(data []byte, number protowire.Number) [][]byte {
	var found [][]byte
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			break
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(num, kind, data)
		if size < 0 {
			break
		}
		if num == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data)
			found = append(found, value)
		}
		data = data[size:]
	}
	return found
}

// versionIn reads the version out of a Keras model's metadata, which is JSON.
func versionIn(metadata string) string {
	var v struct {
		KerasVersion string `json:"keras_version"`
	}
	if json.Unmarshal([]byte(metadata), &v) != nil {
		return ""
	}
	return v.KerasVersion
}
