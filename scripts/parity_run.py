"""Compares `infer run` with sessions in Python: every signature of every SavedModel and frozen graph below CAMBIUM_CORPUS and in
scripts/testdata, on the same seeded random inputs.

    CAMBIUM_CORPUS=DIR python3 scripts/parity_run.py [DIR…]

Python loads the model as TensorFlow 1 does (a session restores it), which opens also those that tf.saved_model.load refuses, and with
tf.saved_model.load where a session finds no variables. Where both fail on every input that this script can think of, Go has to fail too.
"""
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
ROOT = pathlib.Path(__file__).resolve().parent.parent
INFER = ROOT / "bin/infer"


def infer(*args):
    return subprocess.run([INFER, *map(str, args)], capture_output=True, text=True)


def models(root):
    for p in sorted(root.rglob("*")):
        if p.name in ("saved_model.pb", "saved_model.pbtxt"):
            yield p.parent
        elif p.suffix == ".pb" and p.name != "fingerprint.pb" and p.name != "keras_metadata.pb":
            yield p


def example():
    """A serialized tf.Example with the feature x that TensorFlow Serving's test models parse."""
    x = tf.train.Feature(float_list=tf.train.FloatList(value=[2.5]))
    return tf.train.Example(features=tf.train.Features(feature={"x": x, "x2": x})).SerializeToString()


def candidates(tensor, shape, rng):
    """Arrays that a tensor of the graph may be fed with: several ranks and sizes where those are unknown, two kinds of strings."""
    if shape is None:
        shapes = [[3], [], [2, 3], [2, 28, 28], [2, 28, 28, 1]]
    elif -1 in shape:
        shapes = [[size if d < 0 else d for d in shape] for size in (2, 1, 3, 28, 32, 784)]
    else:
        shapes = [shape]
    for shape in shapes:
        if np.prod(shape) > 1 << 24:
            continue
        if tensor.dtype == tf.string:
            for s in (example(), b"a few words"):
                yield np.full(shape, s, object)
        elif tensor.dtype == tf.bool:
            yield rng.integers(0, 2, shape).astype(bool)
        elif tensor.dtype.is_floating:
            # A scalar is most often the share of units that dropout keeps: only with 1 is there a result to compare.
            yield (rng.uniform(0, 1, shape) if shape else np.float64(1)).astype(tensor.dtype.as_numpy_dtype)
        elif tensor.dtype.is_complex:
            yield (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(tensor.dtype.as_numpy_dtype)
        else:
            yield rng.integers(0, 4, shape).astype(tensor.dtype.as_numpy_dtype)


def choices(model, tags, ports, rng):
    """Inputs for all ports at once. The graph's shape counts where it contradicts the signature's."""
    lists = []
    with session(model, tags) as s:
        for p in ports:
            t = s.graph.get_tensor_by_name(p["tensor"])
            fits = p["shape"] is not None and t.shape.is_compatible_with([None if d < 0 else d for d in p["shape"]])
            own = None if t.shape.rank is None else [-1 if d is None else d for d in t.shape.as_list()]
            lists.append(list(candidates(t, p["shape"] if fits else own, rng)))
    shortest_first = sorted(itertools.product(*map(enumerate, lists)), key=lambda c: (sum(i for i, _ in c), max((i for i, _ in c), default=0)))
    for c in shortest_first[:100]:
        yield {p["name"]: array for p, (_, array) in zip(ports, c)}


def session(model, tags):
    s = v1.Session(graph=tf.Graph())
    with s.graph.as_default():
        if model.is_dir():
            v1.saved_model.load(s, tags, str(model))
        else:
            graph = v1.GraphDef()
            graph.ParseFromString(model.read_bytes())
            v1.import_graph_def(graph, name="")
    return s


def save(array, path):
    np.save(path, array.astype("S") if array.dtype == object else array)


def difference(want, got):
    """What is wrong with got; "" if nothing is."""
    if want.dtype == object:
        want = np.array([v if isinstance(v, bytes) else v.encode() for v in want.ravel()], "S").reshape(want.shape)
    if got.dtype.kind == "V":  # how NumPy files hold bfloat16
        got = got.view(want.dtype)
    if want.shape != got.shape:
        return f"shape {got.shape}, not {want.shape}"
    if want.dtype.kind in "fcV":
        if want.dtype != got.dtype:
            return f"{got.dtype}, not {want.dtype}"
        if want.dtype.kind == "V":
            want, got = want.astype(np.float32), got.astype(np.float32)
        scale = max(1.0, float(np.nanmax(np.abs(want), initial=0)))
        worst = float(np.nanmax(np.abs(want - got), initial=0))
        return "" if np.array_equal(np.isnan(want), np.isnan(got)) and worst <= 2e-5 * scale else f"differs by {worst:.2g}"
    return "" if np.array_equal(want, got) else f"{got}, not {want}"


def compare(model, tags, signature, tmp):
    """Returns what happened on one signature, and whether that is well."""
    wanted = {p["name"]: p["tensor"] for p in signature["outputs"]}
    want, inputs, refusal = None, {}, None
    for inputs in choices(model, tags, signature["inputs"], np.random.default_rng(1)):
        try:
            with session(model, tags) as s:
                want = s.run(wanted, {p["tensor"]: inputs[p["name"]] for p in signature["inputs"]})
            break
        except tf.errors.FailedPreconditionError as e:  # only the object graph knows the variables
            refusal = str(e).splitlines()[0]
            function = tf.saved_model.load(str(model), tags).signatures[signature["name"]]
            want = {k: v.numpy() for k, v in function(**{k: tf.constant(v) for k, v in inputs.items()}).items()}
            break
        except Exception as e:  # another choice may do
            refusal = str(e).splitlines()[0]
    args = ["run", model, "--engine", "tensorflow", "--trust", "--signature", signature["name"], "--output", tmp / "out.npz"]
    if tags:
        args += ["--tags", ",".join(tags)]
    for i, (name, array) in enumerate(inputs.items()):
        save(array, tmp / f"{i}.npy")
        args += ["--input", f"{name}={tmp / f'{i}.npy'}"]
    done = infer(*args)
    if want is None:
        return f"both refuse: {refusal}", done.returncode == 1
    if done.returncode:
        return done.stderr.strip(), False
    got = np.load(tmp / "out.npz")
    wrong = [f"{k}: {d}" for k in wanted if (d := difference(np.asarray(want[k]), got[k]) if k in got else "missing")]
    return ", ".join(wrong) or "equal", not wrong


def main():
    roots = [pathlib.Path(a) for a in sys.argv[1:]] or [ROOT / "scripts/testdata"]
    if not sys.argv[1:] and os.environ.get("CAMBIUM_CORPUS"):
        roots.append(pathlib.Path(os.environ["CAMBIUM_CORPUS"]))
    compared = failed = 0
    roots = [r.resolve() for r in roots]
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)  # one of the models writes a file
        for root in roots:
            for model in models(root):
                shown = infer("show", model, "--json")
                if shown.returncode:
                    print(f"{model.relative_to(root)}: not run: {shown.stderr.strip()}")
                    continue
                for meta in json.loads(shown.stdout)["meta_graphs"]:
                    for signature in meta["signatures"]:
                        text, well = compare(model, meta["tags"], signature, pathlib.Path(tmp))
                        compared, failed = compared + 1, failed + (not well)
                        print(f"{model.relative_to(root)} {','.join(meta['tags'])} {signature['name']}: {text}", flush=True)
    print(f"{compared} signatures, {failed} differ from TensorFlow {tf.__version__}")
    sys.exit(bool(failed) or compared == 0)


if __name__ == "__main__":
    main()
