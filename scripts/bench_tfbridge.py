"""Times one call of the MNIST MLP and of a MobileNetV2 (alpha 0.35, 96×96) with batches of 1 and 32: through graft alone, through
tfbridge, and through the signature in Python, in turns, and prints the best of several rounds and the ratios.

    python3 scripts/bench_tfbridge.py [--rounds 5] [--time 300ms]
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import tempfile
import time

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOBILENET = "mobilenet_v2_035_96"  # as tfbridge/bench_test.go calls it
LINE = re.compile(r"Benchmark(\w+)/(\w+)/batch=(\d+)\S*\s+\d+\s+([\d.]+) ns/op.*?(\d+) allocs/op")


def export_mobilenet(directory):
    """MobileNetV2 with random weights and statistics of batch normalization that matter, as a SavedModel."""
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.5, 1.5, n), rng.normal(0, 0.3, n), rng.normal(0, 0.3, n), rng.uniform(0.5, 1.5, n)])
    model.export(directory, verbose=False)


def python_seconds(signature, x, duration):
    name = next(iter(signature.structured_input_signature[1]))
    call = lambda: [v.numpy() for v in signature(**{name: tf.constant(x)}).values()]
    call()
    best, end = float("inf"), time.perf_counter() + duration
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--time", default="300ms", help="of each benchmark in each round")
    args = p.parse_args()
    best, allocations = collections.defaultdict(lambda: float("inf")), {}
    with tempfile.TemporaryDirectory() as tmp:
        export_mobilenet(pathlib.Path(tmp) / MOBILENET)
        binary = pathlib.Path(tmp) / "bench"
        subprocess.run(["go", "test", "-c", "-o", binary, "./tfbridge"], cwd=ROOT, check=True)
        models = {"mlp": (ROOT / "scripts/testdata/mnist/mlp/saved_model", (784,)), MOBILENET: (pathlib.Path(tmp) / MOBILENET, (96, 96, 3))}
        signatures = {name: tf.saved_model.load(str(d)) for name, (d, _) in models.items()}
        for _ in range(args.rounds):
            go = subprocess.run([binary, "-test.run=^$", "-test.bench=Graft|Call", f"-test.benchtime={args.time}"], cwd=ROOT / "tfbridge",
                                env=dict(os.environ, CAMBIUM_BENCH_MODELS=tmp), capture_output=True, text=True, check=True)
            for how, model, batch, ns, allocs in LINE.findall(go.stdout):
                key = how, model, int(batch)
                best[key], allocations[key] = min(best[key], float(ns) / 1000), int(allocs)
            for name, (_, shape) in models.items():
                for batch in (1, 32):
                    x = np.random.default_rng(1).uniform(0, 1, (batch, *shape)).astype(np.float32)
                    key = "Python", name, batch
                    best[key] = min(best[key], 1e6 * python_seconds(signatures[name].signatures["serving_default"], x, 0.3))
    print(f"{'µs per call':24} {'Python':>9} {'graft':>9} {'as loaded':>9} {'tfbridge':>9}   {'/ graft':>7} {'/ Python':>8} {'allocations':>11}")
    for model in models:
        for batch in (1, 32):
            python, graft, loaded, ours = (best[how, model, batch] for how in ("Python", "Graft", "CallAsLoaded", "Call"))
            print(f"{model + ', ' + str(batch):24} {python:9.1f} {graft:9.1f} {loaded:9.1f} {ours:9.1f}   {ours / graft:7.2f} {ours / python:8.2f} {allocations['Call', model, batch]:11}")


if __name__ == "__main__":
    main()
