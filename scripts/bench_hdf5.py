#!/usr/bin/env python3
"""Times reading of 100 MB of weights with h5py and with internal/hdf5, in turns, files in the page cache:

    python3 scripts/bench_hdf5.py

The weights are 320 float32 arrays of sizes as in ResNet50, stored as Keras does (contiguous) and in compressed chunks. A time is
that of opening the file and reading every dataset into memory of its own. Best of five rounds.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write(path, **kw):
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as f:
        for i in range(160):
            channels = 64 << (i // 40)
            kernel = rng.standard_normal((1, 1, channels, 7 * channels // 4)).astype("f4").round(2)
            f.create_dataset(f"model_weights/conv_{i}/conv_{i}/kernel:0", data=kernel, **kw)
            f.create_dataset(f"model_weights/conv_{i}/conv_{i}/bias:0", data=kernel[0, 0, 0])


def read(path):
    start = time.perf_counter()
    weights = []
    with h5py.File(path) as f:
        f.visititems(lambda _, o: weights.append(o[()]) if isinstance(o, h5py.Dataset) else None)
    return time.perf_counter() - start


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        files = {
            "contiguous.h5": {},
            "gzip.h5": dict(compression="gzip", shuffle=True, chunks=True),
        }
        for name, kw in files.items():
            write(tmp / name, **kw)
        binary = tmp / "hdf5.test"
        subprocess.run(["go", "test", "-c", "-o", binary, "./internal/hdf5"], cwd=ROOT, check=True)
        best = {}
        for _ in range(5):
            for name in files:
                best["h5py", name] = min(best.get(("h5py", name), 9), read(tmp / name))
            out = subprocess.run([binary, "-test.run=^$", "-test.bench=Read", "-test.benchtime=3x"], cwd=ROOT / "internal/hdf5",
                                 env=os.environ | {"CAMBIUM_BENCH_FILES": str(tmp)}, check=True, capture_output=True, text=True).stdout
            for name, ns in re.findall(r"BenchmarkRead/(\S+?)(?:-\d+)?\s+\d+\s+(\d+) ns/op", out):
                best["go", name] = min(best.get(("go", name), 9), int(ns) / 1e9)
        for name in files:
            h, g = best["h5py", name], best["go", name]
            size = os.path.getsize(tmp / name) / 1e6
            print(f"{name}: {size:.0f} MB, h5py {h * 1000:.1f} ms, internal/hdf5 {g * 1000:.1f} ms, {g / h:.2f} times")


if __name__ == "__main__":
    sys.exit(main())
