#!/usr/bin/env python3
"""Compares the matrix products of dense/internal/kernel with OpenBLAS (numpy), one thread each, in GFLOP/s.

    bench_gemm.py [--rounds 5]

OpenBLAS runs with the kernels that it picks itself, and held to AVX2 (OPENBLAS_CORETYPE=Haswell). It packs its operands in each
call; ours are kept packed, as in training. Rounds take turns and the best counts.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHAPES = [(32, 784, 128), (128, 784, 128), (1024, 1024, 1024)]
NUMPY = """
import numpy as np, sys, time
for m, k, n in eval(sys.argv[1]):
    a, b, c = np.ones((m, k), np.float32), np.ones((k, n), np.float32), np.empty((m, n), np.float32)
    best, reps = 1e9, max(1, int(1e9 / (2 * m * k * n)))
    for _ in range(20):
        t = time.perf_counter()
        for _ in range(reps):
            np.matmul(a, b, out=c)
        best = min(best, (time.perf_counter() - t) / reps)
    print(2 * m * k * n / best / 1e9)
"""


def openblas(core):
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    env.pop("OPENBLAS_CORETYPE", None)
    if core:
        env["OPENBLAS_CORETYPE"] = core
    out = subprocess.run([sys.executable, "-c", NUMPY, repr(SHAPES)], env=env, check=True, capture_output=True, text=True).stdout
    return [float(v) for v in out.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    best = {}

    def note(name, values):
        best[name] = [max(a, b) for a, b in zip(best.get(name, [0] * len(SHAPES)), values)]

    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "kernel.test")
        subprocess.run(["go", "test", "-c", "-o", binary, "./dense/internal/kernel"], cwd=ROOT, check=True)
        for _ in range(args.rounds):
            out = subprocess.run([binary, "-test.run", "^$", "-test.bench", "Product/avx", "-test.benchtime", "200ms", "-test.cpu", "1"],
                                 check=True, capture_output=True, text=True).stdout
            for level in ("avx2", "avx512"):
                found = [float(v) for v in re.findall(rf"Product/{level}/\S+.*?([\d.]+) GFLOP/s", out)]
                if found:
                    note(f"ours, {level}", found)
            note("OpenBLAS", openblas(None))
            note("OpenBLAS, Haswell", openblas("Haswell"))
    print(f"{'GFLOP/s, one thread':22}" + "".join(f"{m}x{k}x{n}".rjust(16) for m, k, n in SHAPES))
    for name, values in best.items():
        print(f"{name:22}" + "".join(f"{v:16.0f}" for v in values))


if __name__ == "__main__":
    main()
