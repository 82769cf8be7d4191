"""Times a step of training all of a MobileNetV2 and a head of 5 classes, batch 16, Adam: Keras's fit, whose base has the
statistics of batch normalization frozen (training=False) as ours, and ours, in turns; prints the best of several rounds.

    python3 scripts/bench_unfreeze.py [--rounds 4] [--only TEXT]
"""
import argparse
import os
import pathlib
import re
import subprocess
import tempfile
import time

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH = 16
# name: (alpha, side, samples in an epoch)
MODELS = {"mobilenet_v2_035_96": (0.35, 96, 320), "mobilenet_v2_100_224": (1.0, 224, 64)}
LINE = re.compile(r"BenchmarkFineTuning/(\w+)\S*\s+\d+\s+([\d.]+) ns/op")


def network(alpha, side):
    """The base, and base and head as a model that fit trains."""
    shape = (side, side, 3)
    body = keras.applications.MobileNetV2(shape, alpha, include_top=False, weights=None, pooling="avg")
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Dense(5, "softmax")(body(inputs, training=False)))
    model.compile(keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy")
    return body, model


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=4)
    p.add_argument("--only", default="")
    args = p.parse_args()
    rng = np.random.default_rng(1)
    keras.utils.set_random_seed(1)
    print(f"{'ms a step, batch 16':24} {'Keras fit':>10} {'tfbridge':>10} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as tmp:
        binary = pathlib.Path(tmp) / "bench"
        subprocess.run(["go", "test", "-c", "-o", binary, "./tfbridge"], cwd=ROOT, check=True)
        for name, (alpha, side, samples) in MODELS.items():
            if args.only not in name:
                continue
            body, model = network(alpha, side)
            body.save(pathlib.Path(tmp) / f"{name}.keras")
            x = rng.uniform(-1, 1, (samples, side, side, 3)).astype(np.float32)
            y = rng.integers(0, 5, samples)
            model.fit(x, y, batch_size=BATCH, verbose=0)
            python = ours = float("inf")
            for _ in range(args.rounds):
                start = time.perf_counter()
                model.fit(x, y, batch_size=BATCH, verbose=0)
                python = min(python, (time.perf_counter() - start) / (samples // BATCH))
                done = subprocess.run([binary, "-test.run=^$", f"-test.bench=FineTuning/{name}", f"-test.benchtime={samples // BATCH}x"], cwd=ROOT / "tfbridge",
                                      env=dict(os.environ, CAMBIUM_BENCH_MODELS=tmp), capture_output=True, text=True, check=True)
                for _, ns in LINE.findall(done.stdout):
                    ours = min(ours, float(ns) / 1e9)
            print(f"{name:24} {1e3 * python:10.1f} {1e3 * ours:10.1f} {ours / python:7.2f}", flush=True)


if __name__ == "__main__":
    main()
