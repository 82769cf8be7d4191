package savedmodel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// What few models have: parts of composite tensors, no shape at all, the pseudo-signatures, collections of TensorFlow 1.
func TestMetaGraphDef(t *testing.T) {
	def := &tfproto.MetaGraphDef{}
	require.NoError(t, prototext.Unmarshal([]byte(`
		graph_def { node { name: "a" op: "Placeholder" } node { name: "b" op: "Split" } node { name: "init" op: "NoOp" } node { name: "train" op: "NoOp" } }
		signature_def { key: "s" value {
			inputs { key: "sparse" value { dtype: DT_FLOAT tensor_shape { unknown_rank: true } coo_sparse { values_tensor_name: "a:0" indices_tensor_name: "b:0" dense_shape_tensor_name: "b:1" } } }
			inputs { key: "sparse2" value { composite_tensor { type_spec { type_spec_class_name: "SparseTensorSpec" } components { name: "b:0" } components { name: "a:0" } components { name: "b:1" } } } }
			inputs { key: "ragged" value { composite_tensor {
				type_spec { type_spec_class_name: "RaggedTensorSpec" type_state { tuple_value { values { tensor_shape_value { dim { size: -1 } dim { size: -1 } } } values { int64_value: 1 } } } }
				components { name: "a:0" dtype: DT_STRING } components { name: "b:0" dtype: DT_INT32 } } } }
			inputs { key: "other" value { composite_tensor { components { name: "a:0" } } } }
			inputs { key: "shapeless" value { name: "a:0" dtype: DT_INT8 } }
			outputs { key: "y" value { name: "b:1" dtype: 177 tensor_shape { dim { size: -1 } dim { size: 3 } } } } } }
		signature_def { key: "__saved_model_init_op" value { outputs { key: "__saved_model_init_op" value { name: "init" } } } }
		signature_def { key: "__saved_model_train_op" value { outputs { key: "__saved_model_train_op" value { name: "train" } } } }
		collection_def { key: "saved_model_main_op" value { node_list { value: "gone" } } }`), def))
	g, err := (&MetaGraph{Def: def, dir: "m", Tags: []string{"serve"}}).Graph()
	require.NoError(t, err)
	require.Equal(t, []graph.Signature{{
		Name: "s",
		Inputs: []graph.Port{
			{Name: "other", Components: map[string]string{"component_0": "a:0"}, Types: map[string]tensor.DType{"component_0": tensor.Invalid}},
			{
				Name: "ragged", DType: tensor.String, Shape: tensor.Shape{-1, -1}, Components: map[string]string{"values": "a:0", "row_splits_0": "b:0"},
				Types: map[string]tensor.DType{"values": tensor.String, "row_splits_0": tensor.Int32},
			},
			{Name: "shapeless", DType: tensor.Int8, Shapeless: true, Tensor: "a:0"},
			{Name: "sparse", DType: tensor.Float32, Components: map[string]string{"values": "a:0", "indices": "b:0", "dense_shape": "b:1"}},
			{
				Name: "sparse2", Components: map[string]string{"values": "a:0", "indices": "b:0", "dense_shape": "b:1"},
				Types: map[string]tensor.DType{"values": tensor.Invalid, "indices": tensor.Invalid, "dense_shape": tensor.Invalid},
			},
		},
		Outputs: []graph.Port{{Name: "y", Shape: tensor.Shape{-1, 3}, Tensor: "b:1"}},
	}}, g.Signatures)
	require.Equal(t, "init", g.Init.Op)
	require.Nil(t, g.Checkpoint)

	for name, change := range map[string]func(){
		"an init op that is none": func() { delete(def.SignatureDef, initSignature) },
		"an asset of no tensor": func() {
			def.AssetFileDef = []*tfproto.AssetFileDef{{Filename: ".", TensorInfo: &tfproto.TensorInfo{}}}
		},
		"a signature of no node": func() { def.SignatureDef["s"].Outputs["y"].GetEncoding().(*tfproto.TensorInfo_Name).Name = "gone:0" },
		"no graph":               func() { def.GraphDef = nil },
	} {
		change()
		_, err := (&MetaGraph{Def: def, dir: "m"}).Graph()
		require.Error(t, err, name)
	}
}

// Keras 2 left its version in the metadata of its objects.
func TestKerasVersion(t *testing.T) {
	def := &tfproto.SavedModel{MetaGraphs: []*tfproto.MetaGraphDef{{ObjectGraphDef: &tfproto.SavedObjectGraph{Nodes: []*tfproto.SavedObject{
		{Kind: &tfproto.SavedObject_UserObject{UserObject: &tfproto.SavedUserObject{Metadata: "no JSON"}}},
		{Kind: &tfproto.SavedObject_UserObject{UserObject: &tfproto.SavedUserObject{Metadata: `{"class_name": "Sequential", "keras_version": "2.4.0"}`}}},
	}}}}}
	m := &SavedModel{Dir: t.TempDir(), MetaGraphs: []*MetaGraph{{Def: def.MetaGraphs[0]}}}
	require.Equal(t, "2.4.0", kerasVersion(m))

	metadata := `{"keras_version": "2.12.0"}`
	node := append([]byte{5<<3 | 2, byte(len(metadata))}, metadata...)
	file := append([]byte{1<<3 | 2, byte(len(node))}, node...)
	require.Equal(t, "2.12.0", metadataVersion(append([]byte{2 << 3, 1}, file...)))
	for i := range file {
		require.Empty(t, metadataVersion(file[:i]))
	}
}
