package graph

import (
	"encoding/binary"
	"fmt"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// The bounds of a constant that repeats its last value: what a few bytes of a file can ask for.
const (
	maxSplat        = 1 << 28 // bytes
	maxSplatStrings = 1 << 20
)

// Value returns a constant node's value. The error wraps ErrMalformed where the message contradicts itself.
func Value(n *tfproto.NodeDef) (*tensor.Tensor, error) {
	if n.GetOp() != "Const" {
		return nil, fmt.Errorf("%w: node %s is a %s, not a constant", ErrMalformed, n.GetName(), n.GetOp())
	}
	t, err := TensorOf(n.Attr["value"].GetTensor())
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	return t, nil
}

// TensorOf returns TensorFlow's message as a tensor. The elements stand in tensor_content, or one by one in the field of
// their type, where the last one stands for all that are missing and none at all for zeros.
func TensorOf(p *tfproto.TensorProto) (*tensor.Tensor, error) {
	shape := ShapeOf(p.GetTensorShape())
	n, err := shape.Elements()
	if err != nil || shape == nil {
		return nil, fmt.Errorf("%w: a constant of shape %v", ErrMalformed, shape)
	}
	d := DTypeOf(p.GetDtype())
	if d.Size() == 0 && d != tensor.String {
		return nil, fmt.Errorf("%w: a constant of type %v", ErrUnsupported, p.GetDtype())
	}
	content := p.GetTensorContent()
	if d == tensor.String {
		return stringsOf(p, n, shape)
	}
	if len(content) > 0 {
		t, err := tensor.FromBytes(d, content, shape...)
		if err != nil {
			return nil, fmt.Errorf("%w: a constant: %w", ErrMalformed, err)
		}
		return t, nil
	}
	values := valuesOf(p, d)
	if n > max(maxSplat/d.Size(), len(values)) {
		return nil, fmt.Errorf("%w: a constant of %v %v from %d values", ErrMalformed, d, shape, len(values))
	}
	t, err := tensor.New(d, shape...)
	if err != nil {
		return nil, err
	}
	return t, fill(t, values)
}

// fill sets the elements to the values, which are written as elements of the same size; the last one is repeated.
func fill(t *tensor.Tensor, values []byte) error {
	dst, size := t.Bytes(), t.DType().Size()
	if len(values) == 0 || len(dst) == 0 {
		return nil
	}
	if len(values) > len(dst) {
		return fmt.Errorf("%w: %d values for a constant of shape %v", ErrMalformed, len(values)/size, t.Shape())
	}
	done := copy(dst, values)
	if done == size { // doubling is fast for a large constant of one value
		for done < len(dst) {
			done += copy(dst[done:], dst[:done])
		}
	}
	last := values[len(values)-size:]
	for done < len(dst) {
		done += copy(dst[done:], last)
	}
	if t.DType() == tensor.Bool {
		_, err := tensor.FromBytes(tensor.Bool, dst, t.Shape()...)
		return err
	}
	return nil
}

// valuesOf returns the elements that the message lists, as bytes in the machine's order.
func valuesOf(p *tfproto.TensorProto, d tensor.DType) []byte {
	var b []byte
	order := binary.NativeEndian
	switch d {
	case tensor.Float32:
		return bytesOf(p.FloatVal)
	case tensor.Float64:
		return bytesOf(p.DoubleVal)
	case tensor.Int64:
		return bytesOf(p.Int64Val)
	case tensor.Uint32:
		return bytesOf(p.Uint32Val)
	case tensor.Uint64:
		return bytesOf(p.Uint64Val)
	case tensor.Bool:
		return bytesOf(p.BoolVal)
	case tensor.Complex64:
		return bytesOf(p.ScomplexVal[:len(p.ScomplexVal)/2*2])
	case tensor.Complex128:
		return bytesOf(p.DcomplexVal[:len(p.DcomplexVal)/2*2])
	case tensor.Float16, tensor.BFloat16:
		for _, v := range p.HalfVal {
			b = order.AppendUint16(b, uint16(v))
		}
	case tensor.Int32, tensor.QInt32:
		return bytesOf(p.IntVal)
	case tensor.Int16, tensor.Uint16, tensor.QInt16, tensor.QUint16:
		for _, v := range p.IntVal {
			b = order.AppendUint16(b, uint16(v))
		}
	default: // 8 bits and less
		for _, v := range p.IntVal {
			b = append(b, byte(v))
		}
	}
	return b
}

// bytesOf views the values of a list as bytes.
func bytesOf[T tensor.Element](v []T) []byte { return tensor.Must(tensor.Of(v)).Bytes() }

// stringsOf returns n strings from string_val, or from tensor_content: their lengths as varints, then their bytes.
func stringsOf(p *tfproto.TensorProto, n int, shape tensor.Shape) (*tensor.Tensor, error) {
	content, values := p.GetTensorContent(), p.GetStringVal()
	if n > max(maxSplatStrings, len(content), len(values)) || len(values) > n {
		return nil, fmt.Errorf("%w: a constant of %v strings from %d", ErrMalformed, shape, len(values))
	}
	s := make([]string, n)
	for i, v := range values {
		s[i] = string(v)
	}
	for i := len(values); i < n && i > 0; i++ {
		s[i] = s[i-1]
	}
	if len(content) > 0 {
		if err := decodeStrings(s, content); err != nil {
			return nil, err
		}
	}
	return tensor.Of(s, shape...)
}

func decodeStrings(s []string, content []byte) error {
	lengths := make([]uint64, len(s))
	for i := range lengths {
		v, k := binary.Uvarint(content)
		if k <= 0 {
			return fmt.Errorf("%w: a constant of strings ends early", ErrMalformed)
		}
		lengths[i], content = v, content[k:]
	}
	for i, v := range lengths {
		if v > uint64(len(content)) {
			return fmt.Errorf("%w: a constant of strings ends early", ErrMalformed)
		}
		s[i], content = string(content[:v]), content[v:]
	}
	return nil
}
