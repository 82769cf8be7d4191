package graph

import (
	"fmt"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// attrValue turns a Go value into an attribute; see Attrs for what it takes.
func attrValue(v any) (*tfproto.AttrValue, error) {
	switch v := v.(type) {
	case bool:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_B{B: v}}, nil
	case int:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_I{I: int64(v)}}, nil
	case float32:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_F{F: v}}, nil
	case string:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(v)}}, nil
	case tensor.DType:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(v)}}, nil
	case tensor.Shape:
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_Shape{Shape: ShapeProto(v)}}, nil
	case *tensor.Tensor:
		p, err := TensorProto(v)
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_Tensor{Tensor: p}}, err
	case []int:
		l := &tfproto.AttrValue_ListValue{}
		for _, x := range v {
			l.I = append(l.I, int64(x))
		}
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: l}}, nil
	case []string:
		l := &tfproto.AttrValue_ListValue{}
		for _, x := range v {
			l.S = append(l.S, []byte(x))
		}
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: l}}, nil
	case []tensor.DType:
		l := &tfproto.AttrValue_ListValue{}
		for _, x := range v {
			l.Type = append(l.Type, tfproto.DataType(x))
		}
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: l}}, nil
	default:
		return nil, fmt.Errorf("%w: an attribute cannot be a %T", ErrMalformed, v)
	}
}

// ShapeProto returns a shape as TensorFlow's message; nil becomes an unknown rank.
func ShapeProto(s tensor.Shape) *tfproto.TensorShapeProto {
	p := &tfproto.TensorShapeProto{UnknownRank: s == nil}
	for _, d := range s {
		p.Dim = append(p.Dim, &tfproto.TensorShapeProto_Dim{Size: int64(d)})
	}
	return p
}

// TensorProto returns a tensor as TensorFlow's message, with the elements as tensor_content (little-endian), or as
// string_val.
func TensorProto(t *tensor.Tensor) (*tfproto.TensorProto, error) {
	p := &tfproto.TensorProto{Dtype: tfproto.DataType(t.DType()), TensorShape: ShapeProto(t.Shape())}
	if t.DType() == tensor.String {
		s, err := tensor.Data[string](t)
		if err != nil {
			return nil, err
		}
		for _, x := range s {
			p.StringVal = append(p.StringVal, []byte(x))
		}
		return p, nil
	}
	p.TensorContent = t.Bytes()
	return p, nil
}
