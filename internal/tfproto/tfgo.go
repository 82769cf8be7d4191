//go:build tfgo

package tfproto

import (
	attr "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	function "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	node "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdef "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shape "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	slice "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_slice_go_proto"
	types "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	variable "github.com/galeone/tensorflow/tensorflow/go/core/framework/variable_go_proto"
	versions "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	core "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

// The messages, under the names of TensorFlow's .proto files.
type (
	AttrValue                      = attr.AttrValue
	AttrValue_ListValue            = attr.AttrValue_ListValue
	AttrValue_S                    = attr.AttrValue_S
	AttrValue_I                    = attr.AttrValue_I
	AttrValue_F                    = attr.AttrValue_F
	AttrValue_B                    = attr.AttrValue_B
	AttrValue_Type                 = attr.AttrValue_Type
	AttrValue_Shape                = attr.AttrValue_Shape
	AttrValue_Tensor               = attr.AttrValue_Tensor
	AttrValue_List                 = attr.AttrValue_List
	AttrValue_Func                 = attr.AttrValue_Func
	NameAttrList                   = attr.NameAttrList
	FunctionDef                    = function.FunctionDef
	FunctionDefLibrary             = function.FunctionDefLibrary
	GraphDef                       = graphpb.GraphDef
	NodeDef                        = node.NodeDef
	OpDef                          = opdef.OpDef
	OpDef_ArgDef                   = opdef.OpDef_ArgDef
	OpList                         = opdef.OpList
	TensorProto                    = tensorpb.TensorProto
	TensorShapeProto               = shape.TensorShapeProto
	TensorShapeProto_Dim           = shape.TensorShapeProto_Dim
	TensorSliceProto               = slice.TensorSliceProto
	TensorSliceProto_Extent        = slice.TensorSliceProto_Extent
	TensorSliceProto_Extent_Length = slice.TensorSliceProto_Extent_Length
	DataType                       = types.DataType
	VariableDef                    = variable.VariableDef
	VersionDef                     = versions.VersionDef
	SavedModel                     = core.SavedModel
	MetaGraphDef                   = core.MetaGraphDef
	MetaGraphDef_MetaInfoDef       = core.MetaGraphDef_MetaInfoDef
	SignatureDef                   = core.SignatureDef
	TensorInfo                     = core.TensorInfo
	TensorInfo_Name                = core.TensorInfo_Name
	TensorInfo_CooSparse_          = core.TensorInfo_CooSparse_
	TensorInfo_CompositeTensor_    = core.TensorInfo_CompositeTensor_
	TensorInfo_CooSparse           = core.TensorInfo_CooSparse
	TensorInfo_CompositeTensor     = core.TensorInfo_CompositeTensor
	AssetFileDef                   = core.AssetFileDef
	SaverDef                       = core.SaverDef
	CollectionDef                  = core.CollectionDef
	CollectionDef_NodeList_        = core.CollectionDef_NodeList_
	CollectionDef_BytesList_       = core.CollectionDef_BytesList_
	CollectionDef_NodeList         = core.CollectionDef_NodeList
	CollectionDef_BytesList        = core.CollectionDef_BytesList
	BundleHeaderProto              = core.BundleHeaderProto
	BundleEntryProto               = core.BundleEntryProto
	SavedObjectGraph               = core.SavedObjectGraph
	SavedObject                    = core.SavedObject
	TrackableObjectGraph           = core.TrackableObjectGraph
	SavedObject_UserObject         = core.SavedObject_UserObject
	SavedUserObject                = core.SavedUserObject
	ConfigProto                    = core.ConfigProto
	GPUOptions                     = core.GPUOptions
	GraphOptions                   = core.GraphOptions
	RewriterConfig                 = core.RewriterConfig
	ConfigProto_Experimental       = core.ConfigProto_Experimental
	FingerprintDef                 = core.FingerprintDef
)

// The enumerations that this module names.
const (
	SaverV2      = core.SaverDef_V2
	LittleEndian = core.BundleHeaderProto_LITTLE
	BigEndian    = core.BundleHeaderProto_BIG
	RewriterOff  = core.RewriterConfig_OFF
	RewriterOnce = core.RewriterConfig_ONE
)
