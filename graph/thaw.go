package graph

import "fmt"

// Thaw returns the graph with its weights, float32 constants of at least one dimension that nodes compute with, as resource
// variables of the constants' names: a frozen graph that can be trained. The given graph is not changed.
func Thaw(g *Graph) (*Graph, error) {
	return nil, fmt.Errorf("%w: thawing is not implemented yet", ErrUnsupported)
}
