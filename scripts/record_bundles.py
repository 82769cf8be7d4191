#!/usr/bin/env python3
"""Records savedmodel/testdata/bundle: tensor bundles that TensorFlow wrote, and what it says is in them.

    one        every element type, scalars, empty tensors, strings with zeros and of more than 127 bytes
    sharded    three data files under one index (SaveV2 thrice, MergeV2Checkpoints)
    sliced     variables saved in parts, one of them over two data files

expected.json: bundle -> key -> dtype, shape, and the elements as hex (little-endian) or, for strings, each string as hex.

    python3 scripts/record_bundles.py
"""
import json
import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

OUT = pathlib.Path(__file__).resolve().parent.parent / "savedmodel" / "testdata" / "bundle"


def values():
    r = np.random.default_rng(1)
    v = {}
    for d in (np.float32, np.float64, np.float16, np.complex64, np.complex128):
        v[np.dtype(d).name] = r.normal(size=(2, 3)).astype(d)
    v["complex64"] = v["complex64"] * np.complex64(1 + 2j)
    for d in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64):
        v[np.dtype(d).name] = r.integers(0, 100, size=(5,)).astype(d) + np.iinfo(d).max // 2
    v["bool"] = np.array([True, False, True])
    v["bfloat16"] = tf.cast(r.normal(size=(4,)), tf.bfloat16)
    v["scalar"] = np.float32(0.5)
    v["empty"] = np.zeros((0, 7), np.float32)
    v["strings"] = tf.constant([[b"", b"a\0b"], [b"x" * 300, "Gr\u00fcn".encode()]])
    v["string"] = tf.constant(b"one")
    return {"v/" + k: tf.convert_to_tensor(x) for k, x in sorted(v.items())}


def save(prefix, tensors, slices=None):
    names = list(tensors)
    slices = slices or [""] * len(names)
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=[n.split("@")[0] for n in names], shape_and_slices=slices, tensors=[tensors[n] for n in names])


def describe(t):
    d = {"dtype": "object" if t.dtype == tf.string else t.dtype.name, "shape": t.shape.as_list()}
    if t.dtype == tf.string:
        d["data"] = [bytes(s).hex() for s in np.array(t.numpy(), object).reshape(-1)]
    else:
        d["data"] = t.numpy().tobytes().hex()
    return d


def restored(prefix, expected):
    """What TensorFlow reads: the reference must be its own."""
    out = {}
    for k, t in expected.items():
        r = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=[k], shape_and_slices=[""], dtypes=[t.dtype])[0]
        out[k] = describe(r)
    return out


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    expected = {}

    one = values()
    save(OUT / "one", one)
    expected["one"] = restored(OUT / "one", one)

    keys = list(one)
    shards = [OUT / f"part{i}" for i in range(3)]
    for i, s in enumerate(shards):
        save(s, {k: one[k] for k in keys[i::3]})
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[str(s) for s in shards], destination_prefix=str(OUT / "sharded"))
    expected["sharded"] = restored(OUT / "sharded", one)

    rows = tf.reshape(tf.range(200, dtype=tf.float32), (20, 10))
    columns = tf.cast(tf.reshape(tf.range(20000) % 251, (1, 20000)), tf.uint8)  # indices of one, two and three bytes
    save(OUT / "a", {"rows@0": rows[:7], "columns@0": columns[:, :100]}, ["20 10 0,7:-", "1 20000 -:0,100"])
    save(OUT / "b", {"rows@1": rows[7:], "columns@1": columns[:, 100:9000], "columns@2": columns[:, 9000:]},
         ["20 10 7,13:-", "1 20000 -:100,8900", "1 20000 -:9000,11000"])
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[str(OUT / "a"), str(OUT / "b")], destination_prefix=str(OUT / "sliced"))
    expected["sliced"] = restored(OUT / "sliced", {"rows": rows, "columns": columns})

    (OUT / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    print(sorted(p.name for p in OUT.iterdir()), sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
