// Package source reads what the command line names as a model's input: NumPy, JSON, CSV and text files, images, or JSON written
// in place, as values that fit the inputs of a signature.
//
//	NAME=f.npy  NAME=f.npz  NAME=f.npz:key  NAME=f.json  NAME=f.csv  NAME=f.txt  NAME=photo.png  NAME=json:[[1,2]]
//
// NAME= may be left out where the signature has one input.
package source
