package graph

import (
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// downstream returns the nodes that are meant, and everything that depends on them.
func (x nodeIndex) downstream(is func(*tfproto.NodeDef) bool) map[string]bool {
	users := map[string][]string{}
	found := map[string]bool{}
	var todo []string
	for _, n := range x {
		for _, in := range n.Input {
			users[inputNode(in)] = append(users[inputNode(in)], n.Name)
		}
		if is(n) {
			found[n.Name] = true
			todo = append(todo, n.Name)
		}
	}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range users[name] {
			if !found[u] {
				found[u] = true
				todo = append(todo, u)
			}
		}
	}
	return found
}

// upstream returns the given nodes and everything they depend on. Names that are no nodes are left out.
func (x nodeIndex) upstream(roots []string) map[string]bool {
	found := map[string]bool{}
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := x[name]
		if n == nil || found[name] {
			continue
		}
		found[name] = true
		for _, in := range n.Input {
			todo = append(todo, inputNode(in))
		}
	}
	return found
}

// variables returns the variables that the given nodes depend on, sorted.
func (x nodeIndex) variables(roots []string) []string {
	var v []string
	for name := range x.upstream(roots) {
		if IsVariable(x[name].Op) {
			v = append(v, name)
		}
	}
	slices.Sort(v)
	return v
}
