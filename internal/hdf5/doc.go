// Package hdf5 reads and writes HDF5 files as Keras and h5py write them, in
// pure Go.
package hdf5
