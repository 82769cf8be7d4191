// Package mnist reads MNIST and data sets in its format, and makes of a photograph or a scan of a digit what a model trained
// on MNIST expects.
//
//	data, err := mnist.Read(dir)               // four IDX files, as published
//	x, err := data.Train.Scaled(28, 28, 1)     // float32 [60000,28,28,1], 0..1
//
//	digit, err := mnist.ReadDigit("three.jpg", mnist.Options{Shape: []int{784}}) // float32 [784], 0..1
//
// # How a digit is made
//
// The digits of MNIST were scaled into a box of 20×20 pixels with their aspect ratio kept, and placed into 28×28 with their
// centre of mass in the middle (http://yann.lecun.com/exdb/mnist). Digit does the same:
//
//	grey → background → polarity → threshold → largest shape → crop → 20×20 → 28×28 by centre of mass
//
// The background is a smooth surface fitted to the paper, so that uneven light does not matter; the digit is what is darker
// than it, or lighter, whichever is more pronounced: dark or light, it comes out light on dark. Of all shapes the largest
// that does not lie along the edge is taken, with the parts near it. Thin strokes of a pen are widened to those of MNIST.
//
// An image of 28×28 pixels on an even dark ground is taken for what it is, a digit of the data set, and only scaled to
// 0..1; one on an even light ground is inverted first.
//
// # Caveats
//
// One digit an image, upright. A sharp shadow through the digit is taken for ink; softer ones are not.
package mnist
