#!/usr/bin/env python3
"""Compares what this module reads from SavedModels and frozen graphs with what TensorFlow reads, live:

    python3 scripts/parity_savedmodel.py [MODEL_OR_FOLDER…]      # default: scripts/testdata and $CAMBIUM_CORPUS;
                                                                 # with PARITY=all what export_architectures.py exports, too

For every model: tags and signatures, also as `infer show --json` prints them; every tensor of the checkpoint; and the outputs of each signature, run in a session on
the same inputs, on one thread, of the model as TensorFlow's loader loads it and of the graph after each pass. The inlined graph
must give the same bits as the original (with TensorFlow's graph rewriting on: inside functions it always is); the frozen graph
and each signature made flat the same bits as the inlined one (rewriting off: it treats constants differently); folded ones
the same within 1e-5 of the largest element. Inputs are those of expected.json beside the model, else seeded random ones.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import rewriter_config_pb2, saved_model_pb2

v1 = tf.compat.v1
v1.disable_eager_execution()
ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLD_TOLERANCE = 1e-5


def config(rewrite):
    c = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    c.graph_options.rewrite_options.disable_meta_optimizer = not rewrite
    return c


def meta_graphs(path):
    m = saved_model_pb2.SavedModel()
    if (path / "saved_model.pb").exists():
        m.ParseFromString((path / "saved_model.pb").read_bytes())
    else:
        text_format.Parse((path / "saved_model.pbtxt").read_text(), m)
    return m.meta_graphs


def frozen_graph(path):
    g = graph_pb2.GraphDef()
    try:
        g.ParseFromString(path.read_bytes())
    except Exception:
        text_format.Parse(path.read_text(), g)
    return g


def shape_of(info):
    return None if info.tensor_shape.unknown_rank else [d.size for d in info.tensor_shape.dim]


def port(name, info):
    p = {"Name": name, "DType": info.dtype, "Shape": shape_of(info), "Tensor": info.name, "Components": None}
    if info.WhichOneof("encoding") == "coo_sparse":
        s = info.coo_sparse
        p["Components"] = sorted([s.values_tensor_name, s.indices_tensor_name, s.dense_shape_tensor_name])
    elif info.WhichOneof("encoding") == "composite_tensor":
        p["Components"] = sorted(c.name for c in info.composite_tensor.components)
    return p


def signatures(meta_graph):
    return [{"Name": k, "Method": s.method_name,
             "Inputs": [port(n, i) for n, i in sorted(s.inputs.items())],
             "Outputs": [port(n, i) for n, i in sorted(s.outputs.items())]}
            for k, s in sorted(meta_graph.signature_def.items()) if not k.startswith("__saved_model_")]


def comparable(sigs):
    """As signatures gives them: the parts of a composite tensor as a sorted list; a shape that the file does not give as a scalar's."""
    sigs = json.loads(json.dumps(sigs))
    for s in sigs:
        for p in s["Inputs"] + s["Outputs"]:
            if isinstance(p["Components"], dict):
                p["Components"] = sorted(p["Components"].values())
            if p.pop("Shapeless", False):
                p["Shape"] = []
    return sigs


def dtype_name(d):
    return "object" if d == tf.string else d.name


def imported(path, have):
    """What TensorFlow makes of a frozen graph: the placeholders something reads, and what nothing reads. Shapes of outputs, which
    only TensorFlow can work out, are compared where they are given."""
    g = tf.Graph()
    with g.as_default():
        tf.import_graph_def(frozen_graph(path), name="")

    def ports(tensors, given):
        return sorted(({"name": t.name.removesuffix(":0"), "dtype": dtype_name(t.dtype), "tensor": t.name,
                        "shape": None if given.get(t.name, 0) is None or t.shape.rank is None else [-1 if d is None else d for d in t.shape.as_list()]}
                       for t in tensors), key=lambda p: p["name"])

    read = lambda op: any(t.consumers() for t in op.outputs) or op._control_outputs
    ops = g.get_operations()
    inputs = [t for op in ops if op.type.startswith("Placeholder") and read(op) for t in op.outputs]
    outputs = [t for op in ops if not op.type.startswith("Placeholder") and op.type != "Const" and not read(op) for t in op.outputs]
    given = {p["tensor"]: p["shape"] for p in have[0]["signatures"][0]["outputs"]}
    return [{"tags": [], "signatures": [{"name": "serving_default", "method": "tensorflow/serving/predict", "inputs": ports(inputs, {}), "outputs": ports(outputs, given)}]}]


def shown(path):
    """The meta graphs as `infer show --json` prints them, and as TensorFlow's protocol buffers have them."""
    info = json.loads(subprocess.run([str(INFER), "show", str(path), "--json"], capture_output=True, text=True, check=True).stdout)
    if info["format"] != ("savedmodel" if path.is_dir() else "graphdef"):
        return info["format"], None

    def ports(list_):
        return [{"name": p["Name"], "dtype": dtype_name(tf.as_dtype(p["DType"])), "shape": p["Shape"], "tensor": p["Tensor"]} for p in list_]

    want = [{"tags": list(m.meta_info_def.tags), "signatures": [
        {"name": s["Name"], "method": s["Method"], "inputs": ports(s["Inputs"]), "outputs": ports(s["Outputs"])} for s in signatures(m)]}
        for m in meta_graphs(path)] if path.is_dir() else imported(path, info["meta_graphs"])
    for m in info["meta_graphs"]:
        for s in m["signatures"]:
            for p in s["inputs"] + s["outputs"]:
                p.pop("components", None)
                p.pop("optional", None)
                p.setdefault("tensor", "")
    return info["meta_graphs"], want


def bundle(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    r = {}
    for key in reader.get_variable_to_shape_map():
        t = reader.get_tensor(key)
        t = np.asarray(t, object if isinstance(t, bytes) else None)  # a NumPy byte string would lose zeros at its end
        h = hashlib.sha256()
        if t.dtype.kind == "O":
            for s in t.reshape(-1):
                h.update(f"{len(s)}:".encode() + s)
        else:
            h.update(np.ascontiguousarray(t).tobytes())
        r[key] = f"{dtype_name(reader.get_variable_to_dtype_map()[key])} [{','.join(map(str, t.shape))}] {h.hexdigest()}"
    return r


# Inputs.

def examples(n):
    def one(i):
        return tf.train.Example(features=tf.train.Features(feature={
            k: tf.train.Feature(float_list=tf.train.FloatList(value=[float(i + 1)])) for k in ("x", "x2")})).SerializeToString()
    return np.array([one(i) for i in range(n)], object)


def random_input(p, shape, rng):
    d = tf.as_dtype(p["DType"])
    if d == tf.string:
        return examples(shape[0]) if len(shape) == 1 else np.full(shape, b"1 2", object)
    if d.is_floating:
        return rng.random(shape).astype(d.as_numpy_dtype)
    return rng.integers(0, 2 if d == tf.bool else 9, shape).astype(d.as_numpy_dtype)


def candidates(sig):
    """Inputs to try, best first: an unknown rank is guessed."""
    for guess in ([2], [], [2, 784], [2, 28, 28], [2, 1]):
        rng = np.random.default_rng(1)
        inputs = {}
        for p in sig["Inputs"]:
            if p["Name"] == "keep_prob":  # of a dropout: the only value without chance
                inputs[p["Name"]] = np.float32(1)
            elif p["Shape"] is None:
                inputs[p["Name"]] = random_input(p, guess, rng)
            else:
                inputs[p["Name"]] = random_input(p, [d if d >= 0 else 3 if len(p["Shape"]) < 3 else 32 for d in p["Shape"]], rng)
        yield inputs


def decode(value):
    def element(v, dtype):
        if isinstance(v, list):
            return [element(x, dtype) for x in v]
        return __import__("base64").b64decode(v["b64"]) if isinstance(v, dict) else v.encode()
    if value["dtype"] == "object":
        return np.array(element(value["data"], "object"), object).reshape(value["shape"])
    a = np.array(value["data"], float if value["dtype"].startswith(("float", "bfloat", "complex")) else None)
    if value["dtype"].startswith("complex"):
        a = a.reshape(value["shape"] + [2])
        a = a[..., 0] + 1j * a[..., 1]
    return a.reshape(value["shape"]).astype(tf.as_dtype(value["dtype"]).as_numpy_dtype)


# Running.

def feeds(sig, inputs, tensors=lambda t: t):
    return {tensors(p["Tensor"]): inputs[p["Name"]] for p in sig["Inputs"] if p["Name"] in inputs}


def fetches(sig):
    return {p["Name"]: p["Tensor"] for p in sig["Outputs"] if p["Tensor"]}


def run_calls(sess, sigs, calls):
    by = {s["Name"]: s for s in sigs}
    return [sess.run(fetches(by[name]), feeds(by[name], inputs)) for name, inputs in calls if name in by]


def original(path, tags):
    sess = v1.Session(graph=tf.Graph(), config=config(True))
    with sess.graph.as_default():
        if path.is_dir():
            v1.saved_model.loader.load(sess, list(tags), str(path))
        else:
            tf.import_graph_def(frozen_graph(path), name="")
    return sess


def reference_outputs(path, tags, sigs, calls, expected):
    """The outputs of the model as TensorFlow's loader loads it; where it cannot, since only the object graph knows the variables, what
    tf.saved_model.load gave when the model was written."""
    try:
        return run_calls(original(path, tags), sigs, calls)
    except tf.errors.FailedPreconditionError:
        if not expected:
            raise
        return [{k: decode(v) for k, v in c["outputs"].items()} for c in expected["calls"]]


def passed(g, rewrite):
    sess = v1.Session(graph=tf.Graph(), config=config(rewrite))
    with sess.graph.as_default():
        tf.import_graph_def(frozen_graph(pathlib.Path(g["file"])), name="")
    if g.get("checkpoint"):
        c = g["checkpoint"]
        sess.run(c["RestoreOp"], {c["FilenameTensor"]: c["Prefix"]})
    if g["init"]["Op"]:
        sess.run(g["init"]["Op"], g["init"]["Assets"] or {})
    return sess


def bits(a):
    a = np.asarray(a)
    return (a.dtype.str, a.shape, a.tolist() if a.dtype == object else a.tobytes())


def difference(want, got):
    """0 for the same bits, else the largest difference relative to the largest element."""
    if len(want) != len(got):
        return float("inf")
    worst = 0.0
    for w, g in zip(want, got):
        for k in w:
            if bits(w[k]) == bits(g[k]):
                continue
            a, b = np.asarray(w[k]), np.asarray(g[k])
            if a.dtype != b.dtype or a.shape != b.shape or a.dtype.kind not in "fV":
                return float("inf")
            a, b = a.astype(np.float64), b.astype(np.float64)
            worst = max(worst, float(np.max(np.abs(a - b)) / max(np.max(np.abs(a)), 1e-30)), 1e-300)
    return worst


def calls_for(path, tags, sigs, expected):
    if expected:
        return [(c["signature"], {k: decode(v) for k, v in c["inputs"].items()}) for c in expected["calls"]
                if not c.get("tags") or set(c["tags"]) == set(tags)], []
    calls, skipped = [], []
    sess = original(path, tags)
    for s in sigs:
        error = None
        for inputs in candidates(s):
            try:
                run_calls(sess, sigs, [(s["Name"], inputs)])
                calls.append((s["Name"], inputs))
                break
            except Exception as e:
                error = e
        else:
            skipped.append(f"{s['Name']}: {str(error).splitlines()[0][:160]}")
    return calls, skipped


def check(path, out):
    done = subprocess.run([str(DUMP), str(path), out], capture_output=True, text=True)
    if done.returncode:
        return ["error: " + done.stderr.strip()], ""
    dumped = json.loads((pathlib.Path(out) / "model.json").read_text())
    problems, notes = [], []
    have, want = shown(path)
    if have != want:
        problems.append(f"infer show: {have}, want {want}")
    if path.is_dir():
        reference = [(list(m.meta_info_def.tags), signatures(m)) for m in meta_graphs(path)]
        index = path / "variables" / "variables.index"
        if index.exists() and dumped.get("bundle") is not None:
            want = bundle(path / "variables" / "variables")
            if want != dumped["bundle"]:
                problems.append(f"checkpoint: {[k for k in set(want) | set(dumped['bundle']) if want.get(k) != dumped['bundle'].get(k)]}")
            notes.append(f"{len(want)} tensors")
    else:
        reference = [(None, None)]
    expected = None
    if (path.parent / "expected.json").exists():
        expected = json.loads((path.parent / "expected.json").read_text())
    for (tags, sigs), mg in zip(reference, dumped["meta_graphs"], strict=True):
        if tags is not None:
            if mg["tags"] != tags:
                problems.append(f"tags {mg['tags']}, want {tags}")
            if comparable(mg["signatures"]) != comparable(sigs):
                problems.append(f"signatures {mg['signatures']}, want {sigs}")
        sigs = mg["signatures"]
        calls, skipped = calls_for(path, tags or [], sigs, expected)
        notes += ["not run: " + s for s in skipped]
        for g in mg["graphs"]:
            names = {s["Name"] for s in g["signatures"]}
            mine = [c for c in calls if c[0] in names]
            inline = g["pass"] == "inline"
            try:
                if inline:
                    inlined, want = g, reference_outputs(path, tags or [], sigs, mine, expected)
                else:
                    want = run_calls(passed(inlined, False), inlined["signatures"], mine)
                diff = difference(want, run_calls(passed(g, inline), g["signatures"], mine))
            except Exception as e:
                problems.append(f"{g['file']}: {str(e)[:400]}")
                continue
            if diff > (FOLD_TOLERANCE if g["pass"] == "fold" else 0):
                problems.append(f"{g['file']}: differs by {diff:.2g}")
            elif g["pass"] == "fold" and diff:
                notes.append(f"fold {diff:.1g}")
            if g.get("kept"):
                notes.append("kept " + ", ".join(f"{k['Variable']}: {k['Reason']}" for k in g["kept"]))
        notes.append(f"{len(calls)} calls, {len(mg['graphs'])} graphs")
    return problems, "; ".join(notes)


def models(roots):
    for root in roots:
        root = pathlib.Path(root)
        if root.is_file() or (root / "saved_model.pb").exists() or (root / "saved_model.pbtxt").exists():
            yield root
            continue
        for p in sorted(root.rglob("saved_model.pb*")):
            yield p.parent
        for p in sorted(root.rglob("*.pb")):
            if p.name not in ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb"):
                yield p


def main():
    roots = sys.argv[1:] or [ROOT / "scripts" / "testdata"] + ([os.environ["CAMBIUM_CORPUS"]] if os.environ.get("CAMBIUM_CORPUS") else [])
    failed = count = 0
    with tempfile.TemporaryDirectory() as tmp:
        global DUMP, INFER
        DUMP, INFER = pathlib.Path(tmp) / "dumpgraph", pathlib.Path(tmp) / "infer"
        subprocess.run(["go", "build", "-o", tmp, "./scripts/dumpgraph", "./cmd/infer"], cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        if not sys.argv[1:] and os.environ.get("PARITY") == "all":
            subprocess.run([sys.executable, str(ROOT / "scripts" / "export_architectures.py"), f"{tmp}/architectures"], check=True)
            roots.append(f"{tmp}/architectures")
        for i, path in enumerate(models(roots)):
            problems, notes = check(path.resolve(), f"{tmp}/{i}")
            if problems and "not frozen" in problems[0]:
                problems, notes = [], problems[0]
            count += 1
            failed += bool(problems)
            print("FAIL" if problems else "ok  ", path, "|", notes, flush=True)
            for p in problems:
                print("      ", p)
    print(f"{count} models, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
