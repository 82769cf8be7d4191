// Package tensor holds the value that everything else speaks: an element type, a shape and the elements in row-major order,
// shared with the Go slice they came from rather than copied.
//
//	x, err := tensor.Of(pixels, 1, 784) // pixels is a []float32 of 784: x views it
//	y, err := tensor.Data[float32](x)   // a []float32 again, the same memory
//
// A tensor is read from and written to
//
//	.npy, .npz  NumPy's: every numeric type, bool, bfloat16 as ml_dtypes writes it, strings as 'S'
//	JSON        nested lists; strings that are not UTF-8 as {"b64": …}
//	CSV         a line a row, with a header or without
//
// Nothing that a file says about its size is believed: memory grows with the bytes that are really there.
//
// Convert changes the element type if no value changes; Cast changes it as NumPy's astype does. AllClose and MaxAbsDiff
// compare, with NaN equal to NaN.
//
// # Caveats
//
// Elements are shared: what writes to the slice changes the tensor. Resources and variants live in a TensorFlow session
// and have no Tensor. The 4-bit types take a byte an element, as in TensorFlow.
package tensor
