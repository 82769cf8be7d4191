#!/usr/bin/env python3
"""Loads SavedModels that this module wrote in every way that Python has, live:

    python3 scripts/parity_export.py [MODEL_OR_FOLDER…]      # default: scripts/testdata

Each model is read, and written anew with variables and with constants. What was written must give the same bits as the original
in a session, through tf.compat.v1.saved_model.loader, tf.saved_model.load and keras.layers.TFSMLayer, on the inputs of
expected.json (or those that parity_savedmodel.py makes up).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf

import parity_savedmodel as parity

tf.compat.v1.enable_eager_execution()


def eager(path, tags, sigs, calls):
    model = tf.saved_model.load(str(path), tags=list(tags))
    by = {s["Name"]: s for s in sigs}
    results = []
    for name, inputs in calls:
        dtypes = {p["Name"]: tf.as_dtype(p["DType"]) for p in by[name]["Inputs"]}
        out = model.signatures[name](**{k: tf.constant(v, dtypes[k]) for k, v in inputs.items()})
        results.append({k: v.numpy() for k, v in out.items()})
    return results, len(getattr(model, "variables", []))


def runs_eagerly(path, tags, sigs, calls):
    """What TensorFlow 2 refuses to load from the original or to call there, it may refuse with the copy."""
    try:
        return not path.is_dir() or bool(eager(path, tags, sigs, calls))
    except Exception:
        return False


def keras_layer(path, sigs, calls):
    """TFSMLayer takes one tensor, and only the default tags."""
    results = []
    for name, inputs in calls:
        layer = keras.layers.TFSMLayer(str(path), call_endpoint=name)
        (key, value), = inputs.items()
        dtype = {p["Name"]: tf.as_dtype(p["DType"]) for s in sigs if s["Name"] == name for p in s["Inputs"]}[key]
        out = layer(tf.constant(value, dtype))
        results.append({k: np.asarray(v.numpy()) for k, v in out.items()})
    return results


def check(path, out):
    done = subprocess.run([str(parity.DUMP), str(path), out], capture_output=True, text=True)
    if done.returncode:
        return ["error: " + done.stderr.strip()], ""
    dumped = json.loads((pathlib.Path(out) / "model.json").read_text())
    expected = None
    if (path.parent / "expected.json").exists():
        expected = json.loads((path.parent / "expected.json").read_text())
    problems, notes = [], []
    for mg in dumped["meta_graphs"]:
        tags, sigs = mg["tags"] or ["serve"], mg["signatures"]
        with tf.Graph().as_default():
            calls, _ = parity.calls_for(path, tags, sigs, expected)
            want = parity.reference_outputs(path, tags, sigs, calls, expected)
        for e in mg["exports"]:
            kind = e.rsplit(".", 1)[1]

            def compare(how, run):
                try:
                    got = run()
                except Exception as err:
                    problems.append(f"{kind}, {how}: {type(err).__name__} {str(err)[:300]}")
                    return
                diff = parity.difference(want, got)
                if diff > (1e-6 if how != "v1" else 0):  # eager execution fuses other ops than a bare session
                    problems.append(f"{kind}, {how}: differs by {diff:.2g}")
                else:
                    notes.append(f"{kind} {how} {diff:.1g}" if diff else f"{kind} {how}")

            def v1_session():
                with tf.Graph().as_default():
                    return parity.run_calls(parity.original(pathlib.Path(e), tags), sigs, calls)

            compare("v1", v1_session)
            if runs_eagerly(path, tags, sigs, calls):
                compare("v2", lambda: eager(e, tags, sigs, calls)[0])
            stateful = any(g.get("kept") for g in mg["graphs"] if g["pass"] == "freeze")
            one_input = all(len(i) == 1 for _, i in calls)
            cast = any(np.asarray(v).dtype.kind == "f" and np.asarray(v).dtype != np.float32 for _, i in calls for v in i.values())
            if tags == ["serve"] and one_input and not stateful and not cast:  # a Keras layer casts other floats to float32
                compare("TFSMLayer", lambda: keras_layer(e, sigs, calls))
    return problems, "; ".join(notes)


def main():
    roots = sys.argv[1:] or [parity.ROOT / "scripts" / "testdata"]
    failed = count = 0
    with tempfile.TemporaryDirectory() as tmp:
        parity.DUMP = pathlib.Path(tmp) / "dumpgraph"
        subprocess.run(["go", "build", "-o", str(parity.DUMP), "./scripts/dumpgraph"], cwd=parity.ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        for i, path in enumerate(parity.models(roots)):
            problems, notes = check(path.resolve(), f"{tmp}/{i}")
            if problems and "not frozen" in problems[0]:
                continue
            count += 1
            failed += bool(problems)
            print("FAIL" if problems else "ok  ", path, "|", notes, flush=True)
            for p in problems:
                print("      ", p)
    print(f"{count} models, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
