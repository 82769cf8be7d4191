package graph

import (
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// readsOnly lists stateful ops whose running nobody can notice but through their outputs: they make or read state.
var readsOnly = map[string]bool{
	"VarHandleOp": true, "ReadVariableOp": true, "ResourceGather": true, "ResourceGatherNd": true, "VariableShape": true,
	"VarIsInitializedOp": true, "Variable": true, "VariableV2": true, "IsVariableInitialized": true,
	"HashTable": true, "HashTableV2": true, "MutableHashTable": true, "MutableHashTableV2": true,
	"MutableHashTableOfTensors": true, "MutableHashTableOfTensorsV2": true, "MutableDenseHashTable": true,
	"MutableDenseHashTableV2": true, "LookupTableFind": true, "LookupTableFindV2": true, "LookupTableSize": true,
	"LookupTableSizeV2": true, "LookupTableExport": true, "LookupTableExportV2": true,
	"RandomUniform": true, "RandomUniformInt": true, "RandomStandardNormal": true, "TruncatedNormal": true, "RandomShuffle": true,
	"Multinomial": true, "RandomGamma": true, "RandomPoisson": true, "RandomPoissonV2": true, "ParameterizedTruncatedNormal": true,
}

// isControlFlow reports whether an op belongs to TensorFlow 1's control flow, where a control dependency also says in which
// branch or loop a node runs.
func isControlFlow(op string) bool {
	switch strings.TrimPrefix(op, "Ref") {
	case "Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond":
		return true
	default:
		return false
	}
}

// hasEffect reports whether running n can be noticed other than through its outputs: it writes state, or fails on purpose. An
// op that nothing defines may do anything.
func (d definitions) hasEffect(n *tfproto.NodeDef) bool {
	if readsOnly[n.Op] {
		return false
	}
	if f, _ := d.callee(n); f != nil {
		return true
	}
	def := d.op(n.Op)
	return def == nil || def.IsStateful || writesRef(def)
}

// writesRef reports whether an op takes a reference to a variable, which it may then write.
func writesRef(def *tfproto.OpDef) bool {
	for _, a := range def.InputArg {
		if a.IsRef {
			return true
		}
	}
	return false
}

// waits returns the nodes that are worth waiting for: those with an effect, those inside TensorFlow 1's control flow, and
// everything that depends on one.
func (x nodeIndex) waits(d definitions) map[string]bool {
	return x.downstream(func(n *tfproto.NodeDef) bool { return isControlFlow(n.Op) || d.hasEffect(n) })
}

// isMutableTable reports whether an op is a table that ops write and a checkpoint holds.
func isMutableTable(op string) bool { return readsOnly[op] && strings.HasPrefix(op, "Mutable") }
