"""Records what NumPy (with ml_dtypes) writes and computes, for the tests of package tensor.

    python3 scripts/record_tensors.py [DIR]        # default: scripts/testdata/tensors

It writes casts.json (astype between all pairs of element types), the .npy and .npz files and expected.json: for each array
its dtype, shape and elements (hexadecimal little-endian bytes in row-major order, or a list of strings).
"""
import json
import pathlib
import sys
import warnings

import ml_dtypes
import numpy as np
from numpy.lib import format as npy

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "testdata/tensors")
NATIVE = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"]
NARROW = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"]


def dtype(name):
    return np.dtype(getattr(ml_dtypes, name)) if name in NARROW else np.dtype(name)


def integer_range(name):
    if name in ("int4", "uint4"):
        info = ml_dtypes.iinfo(dtype(name))
        return int(info.min), int(info.max)
    if dtype(name).kind in "iu":
        info = np.iinfo(name)
        return int(info.min), int(info.max)
    return None


def samples(name):
    """Values that are hard: limits, halves between two neighbours, subnormal numbers, infinities, NaN."""
    if name == "bool":
        return np.array([False, True])
    limits = integer_range(name)
    if limits:
        low, high = limits
        values = {low, low + 1, -1, 0, 1, 2, 3, 7, 9, 17, 19, 255, 257, 2049, 2051, 65505, 65519, 65520, 16777217, 16777219, 2**53 + 1, high - 1, high}
        return np.array([v for v in sorted(values) if low <= v <= high], object).astype(dtype(name))
    floats = [0.0, -0.0, 0.5, -0.75, 1.0, -1.0, 1.5, 2.5, 3.0, 7.9, 17.0, 19.0, -7.0, 100.25, 0.1, 1 / 3, 447.9, 448.0, 464.0, 465.0, 479.0, 57344.0, 61440.0,
              65504.0, 65519.99, 65520.0, 3e38, 1e-8, 6e-8, 2.98e-8, 2.9802322e-8, 2**-24 * 1.5, 2**-17 * 1.0001, 2**-16 * 0.5, 1.0009765625 / 2 + 0.5,
              1 + 2**-11, 1 + 2**-11 + 2**-40, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 2**-9, np.inf, -np.inf, np.nan]
    if name in ("complex64", "complex128"):
        return np.array([complex(a, -b) for a, b in zip(floats, reversed(floats))]).astype(name)
    with np.errstate(all="ignore"):
        return np.array(floats).astype(dtype(name))


def defined(values, to):
    """The values whose cast C defines."""
    limits = integer_range(to)
    if limits is None or integer_range(values.dtype.name) or values.dtype == bool:
        return values
    low, high = limits
    real = np.real(values).astype(np.float64)
    return values[np.isfinite(real) & (np.trunc(real) >= low) & (np.trunc(real) <= high)]


def record_casts():
    rows = []
    for source in NATIVE + NARROW:
        for target in NATIVE + NARROW:
            if source == target or not np.can_cast(dtype(source), dtype(target), "unsafe"):
                continue  # ml_dtypes has no casts from complex numbers to its own types
            values = defined(samples(source), target)
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                result = values.astype(dtype(target))
            rows.append({"from": source, "to": target, "in": values.tobytes().hex(), "out": result.tobytes().hex()})
    (OUT / "casts.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


def described(a, name=None):
    if a.dtype.kind in "SU":
        data = [s if isinstance(s, str) else s.decode("latin-1") for s in a.ravel().tolist()]
        return {"dtype": "object", "shape": list(a.shape), "strings": data}
    little = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")) if a.dtype.kind != "V" else a
    return {"dtype": name or a.dtype.name, "shape": list(a.shape), "bytes": little.tobytes().hex()}


def record_files():
    expected = {}

    def save(file, a, version=None, name=None):
        with open(OUT / file, "wb") as f:
            npy.write_array(f, a, version=version)
        expected[file] = described(a, name)

    rng = np.random.default_rng(1)
    for name in NATIVE:
        a = (rng.standard_normal((2, 3, 4)) * 40).astype(name) if not name.startswith("complex") else (rng.standard_normal((2, 3, 4)) + 1j).astype(name)
        save(f"{name}.npy", a)
        save(f"{name}_big_fortran.npy", np.asfortranarray(a.astype(a.dtype.newbyteorder(">"))))
    save("bfloat16.npy", np.array([[1, -2.5, 3e38]], ml_dtypes.bfloat16), name="bfloat16")
    save("scalar.npy", np.float32(2.5).reshape(()))
    save("empty.npy", np.zeros((0, 784), np.float32))
    save("version2.npy", np.arange(6, dtype=np.int16).reshape(2, 3), (2, 0))
    save("version3.npy", np.arange(6, dtype=np.int16).reshape(3, 2), (3, 0))
    save("bytes.npy", np.array([[b"one", b"fourteen bytes"], [b"", b"\xff\x00\x01"]]))
    save("unicode.npy", np.array(["one", "", "drei ☃", "𝔾o"]))
    save("unicode_big.npy", np.array(["one", "drei ☃"]).astype(">U8"))
    with open(OUT / "pickled.npy", "wb") as f:
        npy.write_array(f, np.array([{"a": 1}, None], object), allow_pickle=True)
    with open(OUT / "structured.npy", "wb") as f:
        npy.write_array(f, np.zeros(2, [("x", "<f4"), ("y", "<i4")]))
    arrays = {"x": np.arange(12, dtype=np.float32).reshape(3, 4), "labels": np.array([3, 1, 2], np.int64), "a name": np.array(["s", "tt"])}
    np.savez(OUT / "stored.npz", **arrays)
    np.savez_compressed(OUT / "deflated.npz", **arrays)
    for key, a in arrays.items():
        expected[f"stored.npz:{key}"] = expected[f"deflated.npz:{key}"] = described(a)
    (OUT / "expected.json").write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")


OUT.mkdir(parents=True, exist_ok=True)
record_casts()
record_files()
