package graph

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// Severity says how far an op reaches.
type Severity string

// The severities of findings.
const (
	High   Severity = "high"   // files, the network, code of the host: refuse a model of unknown origin
	Medium Severity = "medium" // an op that TensorFlow does not define: what it does depends on a library
	Low    Severity = "low"    // text on the console
)

// Loader is where a finding is reachable from that loading the model runs: restoring it, or its init op.
const Loader = "loader"

// Finding is an op of a model that reaches outside of it.
type Finding struct {
	Severity Severity `json:"severity"`
	Op       string   `json:"op"`
	Where    string   `json:"where"` // the node, or "function/node"
	// ReachableFrom is the signature whose outputs depend on it, serving_default if that is one of them, or Loader; "" where
	// only a caller in Python, or nobody, gets there.
	ReachableFrom string `json:"reachable_from"`
	Why           string `json:"-"` // in words: "writes files"
}

// Scan lists the ops of a model that reach outside of it: files, the network, the host's code, and ops that TensorFlow
// 2.18 does not have. Running a model is running a program; this tells which parts of it can do more than compute. Not
// findings are the saver's own ops where no signature reaches them, and a table that the init op fills from one of the
// model's assets.
//
// The list is sorted: what is reachable first, high severity first.
func Scan(g *Graph) []Finding {
	s := &scanner{graph: g, definitions: g.definitions(), nodes: nodeIndex{}, found: map[string]*Finding{}}
	for _, n := range g.Def.GetNode() {
		s.nodes[n.GetName()] = n
	}
	for _, sig := range g.Signatures {
		var roots []string
		for _, p := range sig.Outputs {
			for _, t := range p.Tensors() {
				roots = append(roots, inputNode(t))
			}
		}
		s.walk(roots, sig.Name, false)
	}
	s.walk([]string{g.Init.Op}, Loader, false)
	if c := g.Checkpoint; c != nil {
		s.walk([]string{c.RestoreOp}, Loader, true)
	}
	for name := range s.nodes {
		s.look(s.nodes[name], "", "", true)
	}
	for name, f := range s.functions {
		for _, n := range f.GetNodeDef() {
			s.look(n, name+"/", "", true)
		}
	}
	list := make([]Finding, 0, len(s.found))
	for _, key := range sortedKeys(s.found) {
		list = append(list, *s.found[key])
	}
	rank := []Severity{High, Medium, Low}
	slices.SortStableFunc(list, func(a, b Finding) int {
		reach := func(f Finding) int { return min(len(f.ReachableFrom), 1) }
		return cmp.Or(reach(b)-reach(a), slices.Index(rank, a.Severity)-slices.Index(rank, b.Severity), strings.Compare(a.Where, b.Where))
	})
	return list
}

type scanner struct {
	definitions
	graph *Graph
	nodes nodeIndex
	found map[string]*Finding // by where
}

// walk looks at everything that the given nodes depend on, in functions too.
func (s *scanner) walk(roots []string, from string, saver bool) {
	seen := map[string]bool{}
	var functions []string
	for name := range s.nodes.upstream(roots) {
		s.look(s.nodes[name], "", from, saver)
		functions = append(functions, functionNames(s.nodes[name])...)
	}
	for len(functions) > 0 {
		name := functions[len(functions)-1]
		functions = functions[:len(functions)-1]
		f := s.functions[name]
		if f == nil || seen[name] {
			continue
		}
		seen[name] = true
		for _, n := range f.GetNodeDef() {
			s.look(n, name+"/", from, saver)
			functions = append(functions, functionNames(n)...)
		}
	}
}

// look notes what n is. saver says that restoring or saving a checkpoint is what is expected there.
func (s *scanner) look(n *tfproto.NodeDef, prefix, from string, saver bool) {
	severity, why := s.judge(n)
	if severity == "" || (saver && isSaver(n.GetOp())) || ((from == "" || from == Loader) && s.fillsFromAsset(n)) {
		return
	}
	where := prefix + n.GetName()
	if f := s.found[where]; f != nil {
		if from == DefaultSignature || f.ReachableFrom == "" {
			f.ReachableFrom = from
		}
		return
	}
	s.found[where] = &Finding{Severity: severity, Op: n.GetOp(), Where: where, ReachableFrom: from, Why: why}
}

// fillsFromAsset reports whether n fills a table from a file in a model that has assets.
func (s *scanner) fillsFromAsset(n *tfproto.NodeDef) bool {
	return strings.HasPrefix(n.GetOp(), "InitializeTableFromTextFile") && len(s.graph.Init.Assets) > 0
}

// judge tells what kind of finding a node is; "" for none.
func (s *scanner) judge(n *tfproto.NodeDef) (Severity, string) {
	op := n.GetOp()
	why, known := reaches[op]
	switch {
	case s.functions[op] != nil:
		return "", ""
	case op == "PrintV2" && strings.HasPrefix(string(n.Attr["output_stream"].GetS()), "file://"):
		return High, writesFiles
	case op == "Print" || op == "PrintV2":
		return Low, "prints"
	case strings.HasPrefix(op, "Debug") && len(n.Attr["debug_urls"].GetList().GetS()) == 0:
		return "", ""
	case op == "DecodeProtoV2" || op == "EncodeProto":
		if source := string(n.Attr["descriptor_source"].GetS()); source == "" || source == "local://" {
			return "", ""
		}
		return High, readsFiles
	case op == "FixedUnigramCandidateSampler" && len(n.Attr["vocab_file"].GetS()) == 0:
		return "", ""
	case known:
		return High, why
	case strings.HasPrefix(op, "_Send") || strings.HasPrefix(op, "_Recv") || strings.HasPrefix(op, "_HostSend") || strings.HasPrefix(op, "_HostRecv"):
		return High, "exchanges tensors with other processes"
	case registry()[op] == nil && !strings.HasPrefix(op, "_"):
		return Medium, "an op that TensorFlow does not define"
	default:
		return "", ""
	}
}

const (
	readsFiles  = "reads files"
	writesFiles = "writes files"
	usesNetwork = "uses the network"
	runsHost    = "runs code of the host program"
	readsMemory = "reads memory of the host program"
)

// reaches says what the ops of TensorFlow that reach outside a model do.
var reaches = kinds(map[string]string{
	readsFiles: `ReadFile WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 FixedLengthRecordReader
		FixedLengthRecordReaderV2 TFRecordReader TFRecordReaderV2 LMDBReader MatchingFiles MatchingFilesDataset
		ExperimentalMatchingFilesDataset RecordInput TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset
		FixedLengthRecordDatasetV2 CSVDataset CSVDatasetV2 ExperimentalCSVDataset LMDBDataset ExperimentalLMDBDataset SqlDataset
		ExperimentalSqlDataset LoadDataset ListSnapshotChunksDataset SnapshotChunkDataset SnapshotDatasetReader
		SnapshotNestedDatasetReader Restore RestoreSlice RestoreV2 DTensorRestoreV2 LoadAndRemapMatrix GenerateVocabRemapping
		InitializeTableFromTextFile InitializeTableFromTextFileV2 FixedUnigramCandidateSampler Skipgram`,
	writesFiles: `WriteFile Save SaveSlices SaveV2 MergeV2Checkpoints SaveDataset SaveDatasetV2 DatasetToTFRecord
		ExperimentalDatasetToTFRecord CacheDataset CacheDatasetV2 SnapshotDataset SnapshotDatasetV2 CreateSummaryFileWriter
		CreateSummaryDbWriter SummaryWriter ImportEvent WriteSummary WriteScalarSummary WriteHistogramSummary WriteImageSummary
		WriteAudioSummary WriteGraphSummary WriteRawProtoSummary DumpTensor CalibrationStatisticsSaver DistributedSave
		StatsAggregatorSetSummaryWriter DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary`,
	usesNetwork: `RpcServer RpcServerStart RpcServerRegister RpcClient RpcCall RemoteCall DataServiceDataset
		DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 RegisterDataset RegisterDatasetV2
		ConfigureDistributedTPU ShutdownDistributedTPU ConfigureAndInitializeGlobalTPU
		FileSystemSetConfiguration CollectiveReduce CollectiveReduceV2 CollectiveReduceV3
		CollectiveGather CollectiveGatherV2 CollectiveBcastSend CollectiveBcastSendV2 CollectiveBcastRecv
		CollectiveBcastRecvV2 CollectiveInitializeCommunicator Send Recv`,
	runsHost:    `PyFunc PyFuncStateless EagerPyFunc XlaHostCompute XlaSendToHost XlaRecvFromHost OutfeedEnqueue`,
	readsMemory: `ImmutableConst`,
})

func kinds(byKind map[string]string) map[string]string {
	m := map[string]string{}
	for why, ops := range byKind {
		for _, op := range strings.Fields(ops) {
			m[op] = why
		}
	}
	return m
}
