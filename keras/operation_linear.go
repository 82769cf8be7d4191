package keras

import (
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Linear algebra, Fourier transforms and sums over segments: keras/src/backend/tensorflow/linalg.py and math.py.

func init() {
	for name, f := range map[string]operation{
		"Cholesky": one(opCholesky), "Inv": simpleMatrix("MatrixInverse"), "Det": one(opDeterminant),
		"Solve": one(opSolve), "SolveTriangular": one(opSolveTriangular), "Qr": opQR, "Eigh": opEigen, "SVD": opSingularValues,
		"SegmentSum": one(opSegments("UnsortedSegmentSum", "SegmentSum")), "SegmentMax": one(opSegments("UnsortedSegmentMax", "SegmentMax")),
		"SegmentMin": one(opSegments("UnsortedSegmentMin", "SegmentMin")), "SegmentProd": one(opSegments("UnsortedSegmentProd", "SegmentProd")),
		"FFT": opFourier("FFT"), "FFT2": opFourier("FFT2D"), "RFFT": opRealFourier, "IRFFT": one(opInverseRealFourier),
	} {
		operations[name] = f
		register(class{keepsTypes: true, call: func(c *Call) []Value { return runOperation(c, f) }}, "keras.ops>"+name)
	}
}

// matrix reads the first argument, of rank 2 and more.
func (o *opCall) matrix(names ...string) Value {
	x := o.tensor(0, names...)
	if x.rank() < 2 {
		fail(ErrFormat, "a tensor of shape %v is no matrix", x.Shape)
	}
	return x
}

// sized returns the shape of x with its last dimensions replaced.
func sized(x Value, last ...int) tensor.Shape {
	return append(append(tensor.Shape{}, x.Shape[:x.rank()-len(last)]...), last...)
}

func simpleMatrix(op string) operation {
	return one(func(o *opCall) Value { return o.unary(op, o.matrix("x", "a")) })
}

func opCholesky(o *opCall) Value {
	y := o.unary("Cholesky", o.matrix("x", "a"))
	if !o.settings(1, "upper").Bool("upper", false) {
		return y
	}
	perm := identity(y.rank())
	perm[len(perm)-1], perm[len(perm)-2] = len(perm)-2, len(perm)-1
	return o.transpose(y, perm...)
}

func opDeterminant(o *opCall) Value {
	x := o.matrix("x", "a")
	return o.op("MatrixDeterminant", []Value{x}, graph.Attrs{"T": x.DType}, x.DType, x.Shape[:x.rank()-2])
}

func opSolve(o *opCall) Value { return o.solve("MatrixSolve", graph.Attrs{}) }

func opSolveTriangular(o *opCall) Value {
	return o.solve("MatrixTriangularSolve", graph.Attrs{"lower": o.settings(2, "lower").Bool("lower", false), "adjoint": false})
}

// solve solves a·y = b for matrices b, or for vectors.
func (o *opCall) solve(op string, attrs graph.Attrs) Value {
	a, b := o.matrix("a"), o.tensor(1, "b")
	attrs["T"] = a.DType
	vectors := b.rank() == a.rank()-1
	if vectors {
		b = o.expand(b, b.rank())
	}
	y := o.op(op, []Value{a, b}, attrs, b.DType, b.Shape)
	if vectors {
		y = o.squeeze(y, y.rank()-1)
	}
	return y
}

func opQR(o *opCall) []Value {
	x := o.matrix("x")
	full := o.settings(1, "mode").String("mode", "reduced") == "complete"
	rows, columns := x.Shape[x.rank()-2], x.last()
	inner := min(rows, columns)
	if full {
		inner = rows
	}
	q := o.op("Qr", []Value{x}, graph.Attrs{"T": x.DType, "full_matrices": full}, x.DType, sized(x, rows, inner))
	return []Value{q, q.output(1, x.DType, sized(x, inner, columns))}
}

func opEigen(o *opCall) []Value {
	x := o.matrix("x")
	e := o.op("SelfAdjointEigV2", []Value{x}, graph.Attrs{"T": x.DType, "compute_v": true}, x.DType, x.Shape[:x.rank()-1])
	return []Value{e, e.output(1, x.DType, x.Shape)}
}

func opSingularValues(o *opCall) []Value {
	x, s := o.matrix("x"), o.settings(1, "full_matrices", "compute_uv")
	full, vectors := s.Bool("full_matrices", true), s.Bool("compute_uv", true)
	rows, columns := x.Shape[x.rank()-2], x.last()
	inner := min(rows, columns)
	values := o.op("Svd", []Value{x}, graph.Attrs{"T": x.DType, "full_matrices": full, "compute_uv": vectors}, x.DType, append(x.Shape[:x.rank()-2:x.rank()-2], inner))
	if !vectors {
		return []Value{values}
	}
	left, right := inner, inner
	if full {
		left, right = rows, columns
	}
	u, v := values.output(1, x.DType, sized(x, rows, left)), values.output(2, x.DType, sized(x, columns, right))
	perm := identity(v.rank())
	perm[len(perm)-1], perm[len(perm)-2] = len(perm)-2, len(perm)-1
	return []Value{u, values, o.transpose(v, perm...)}
}

// opSegments reduces the rows of each segment. Sorted ids count the segments by themselves.
func opSegments(unsorted, sorted string) func(*opCall) Value {
	return func(o *opCall) Value {
		x, ids := o.tensor(0, "data"), o.tensor(1, "segment_ids")
		s := o.settings(2, "num_segments", "sorted")
		rest := append(tensor.Shape{}, x.Shape[min(ids.rank(), x.rank()):]...)
		attrs := graph.Attrs{"T": x.DType, "Tindices": ids.DType}
		if s.Bool("sorted", false) {
			return o.op(sorted, []Value{x, ids}, attrs, x.DType, append(tensor.Shape{-1}, rest...))
		}
		if !s.has("num_segments") {
			fail(ErrUnsupported, "segments whose number is not given")
		}
		n := s.positive("num_segments")
		attrs["Tnumsegments"] = tensor.Int32
		return o.op(unsorted, []Value{x, ids, o.int(n)}, attrs, x.DType, append(tensor.Shape{n}, rest...))
	}
}

// complexOf joins the real and the imaginary part, the two tensors of an argument.
func (o *opCall) complexOf(names ...string) Value {
	arg, _ := o.arg(0, names...)
	parts := values(arg)
	if len(parts) != 2 || parts[0].DType != tensor.Float32 || parts[1].DType != tensor.Float32 {
		fail(ErrUnsupported, "a Fourier transform of anything but the real and the imaginary part, in float32")
	}
	return o.op("Complex", parts, graph.Attrs{"T": tensor.Float32, "Tout": tensor.Complex64}, tensor.Complex64, parts[0].Shape)
}

// parts are the real and the imaginary part.
func (o *opCall) parts(x Value) []Value {
	attrs := graph.Attrs{"T": tensor.Complex64, "Tout": tensor.Float32}
	return []Value{o.op("Real", []Value{x}, attrs, tensor.Float32, x.Shape), o.op("Imag", []Value{x}, attrs, tensor.Float32, x.Shape)}
}

func opFourier(op string) operation {
	return func(o *opCall) []Value {
		x := o.complexOf("x")
		return o.parts(o.op(op, []Value{x}, graph.Attrs{"Tcomplex": x.DType}, x.DType, x.Shape))
	}
}

// fourierLength is the number of samples of a real signal; one of another length would have to be padded.
func (o *opCall) fourierLength(own int) Value {
	n := o.settings(1, "fft_length").Int("fft_length", own)
	if n != own || n < 1 {
		fail(ErrUnsupported, "a Fourier transform of %d samples of a signal of %d", n, own)
	}
	return o.ints(n)
}

func opRealFourier(o *opCall) []Value {
	x := o.cast(o.tensor(0, "x"), tensor.Float32)
	n := o.fourierLength(x.last())
	return o.parts(o.op("RFFT", []Value{x, n}, graph.Attrs{"Treal": tensor.Float32, "Tcomplex": tensor.Complex64}, tensor.Complex64, sized(x, x.last()/2+1)))
}

func opInverseRealFourier(o *opCall) Value {
	x := o.complexOf("x")
	own := 2 * (x.last() - 1)
	n := o.fourierLength(own)
	return o.op("IRFFT", []Value{x, n}, graph.Attrs{"Treal": tensor.Float32, "Tcomplex": tensor.Complex64}, tensor.Float32, sized(x, own))
}
