package graph

import (
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// pad lets the convolutions behind a padding by zeros do it themselves, if every user of it is one: as SAME where the size of
// the image is known and that pads the same, else as EXPLICIT.
func (f *folder) pad(n *tfproto.NodeDef) {
	padding, ok := f.zeros(n)
	if !ok || f.fixed[n.Name] {
		return
	}
	users := slices.Clone(f.users[n.Name])
	turned := make([]*tfproto.NodeDef, len(users))
	for i, u := range users {
		if turned[i] = f.padded(u, n, padding); turned[i] == nil {
			return
		}
	}
	for i, u := range users {
		f.replace(u, turned[i])
	}
	f.replace(n, nil)
}

// padding is the zeros before and behind, of the height and of the width.
type padding [2][2]int

// zeros returns what a Pad or PadV2 adds; ok is false unless it adds zeros to height and width alone.
func (f *folder) zeros(n *tfproto.NodeDef) (p padding, ok bool) {
	data, control := splitInputs(n.Input)
	if len(data) < 2 || len(control) > 0 {
		return p, false
	}
	if len(data) == 3 {
		fill := f.consts.value(data[2])
		if v, err := tensor.Data[float32](fill); err != nil || len(v) != 1 || v[0] != 0 {
			return p, false
		}
	}
	t := f.consts.value(data[1])
	if t == nil || !t.Shape().Equal(tensor.Shape{4, 2}) {
		return p, false
	}
	wide, err := t.Convert(tensor.Int64)
	if err != nil {
		return p, false
	}
	v, err := tensor.Data[int64](wide)
	if err != nil || v[0] != 0 || v[1] != 0 || v[6] != 0 || v[7] != 0 {
		return p, false
	}
	for i := range 4 {
		if v[2+i] < 0 || v[2+i] > 1<<20 {
			return p, false
		}
		p[i/2][i%2] = int(v[2+i])
	}
	return p, true
}

// padded returns the convolution that pads by itself; nil where there is none.
func (f *folder) padded(conv, pad *tfproto.NodeDef, p padding) *tfproto.NodeDef {
	data, _ := splitInputs(conv.Input)
	if (conv.Op != "Conv2D" && conv.Op != "DepthwiseConv2dNative") || len(data) != 2 || inputNode(data[1]) == pad.Name ||
		!f.isNHWC(conv) || string(conv.Attr["padding"].GetS()) != "VALID" || conv.Device != pad.Device {
		return nil
	}
	c := copyNode(conv)
	c.Input[0] = pad.Input[0]
	delete(c.Attr, "explicit_paddings")
	if f.isSame(conv, pad.Input[0], p) {
		c.Attr["padding"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte("SAME")}}
		return c
	}
	if conv.Op == "DepthwiseConv2dNative" {
		return nil // TensorFlow 2.18 fuses it with what follows and aborts: oneDNN's kernel does not expect EXPLICIT
	}
	list := []int64{0, 0, int64(p[0][0]), int64(p[0][1]), int64(p[1][0]), int64(p[1][1]), 0, 0}
	c.Attr["padding"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte("EXPLICIT")}}
	c.Attr["explicit_paddings"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{I: list}}}
	return c
}

// isSame reports whether SAME pads an image as p does: to ⌈size/stride⌉ outputs, the odd zero behind.
func (f *folder) isSame(conv *tfproto.NodeDef, image string, p padding) bool {
	size, w := f.shape(image), f.window(conv)
	if len(size) != 4 || w == nil {
		return false
	}
	for i := range 2 {
		if size[1+i] <= 0 {
			return false
		}
		outputs := (size[1+i] + w[i].stride - 1) / w[i].stride
		total := max((outputs-1)*w[i].stride+w[i].kernel-size[1+i], 0)
		if p[i][0] != total/2 || p[i][1] != total-total/2 {
			return false
		}
	}
	return true
}
