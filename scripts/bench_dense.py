#!/usr/bin/env python3
"""Trains the same networks with package dense, JAX, Keras and scikit-learn, in turn, and prints seconds per epoch.

    bench_dense.py [--nets mnist-128,300-100-37-7] [--batches 32,128,512] [--rounds 3] [--json FILE] [--only ours,jax]

60,000 random samples of which a fifth is not 0, as of handwritten digits (nets "-full": without zeros), Adam, sparse
categorical cross-entropy, float32, all cores. JAX runs a whole epoch as one compiled lax.scan over data on the device; Keras
runs fit with batches from arrays, plain and with steps_per_execution=50. Rounds take turns, so that a busy machine slows
everyone alike; the best round counts. The ratio is ours / theirs.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("OPENBLAS_CORETYPE", None)  # would hold OpenBLAS to older kernels

SAMPLES = 60000
NETS = {  # inputs, hidden, outputs, dropout, batch normalization: as in dense/bench_test.go
    "mnist-128": (784, [128], 10, 0, False),
    "mnist-128-full": (784, [128], 10, 0, False),
    "mnist-512-512": (784, [512, 512], 10, 0, False),
    "mnist-512-512-dropout": (784, [512, 512], 10, 0.2, False),
    "mnist-128-norm": (784, [128], 10, 0, True),
    "mnist-1000": (784, [1000], 10, 0, False),
    "300-100-37-7": (300, [100, 37], 7, 0, False),
}


def data(net):
    import numpy as np
    inputs, _, outputs, _, _ = NETS[net]
    r = np.random.default_rng(1)
    x = r.random((SAMPLES, inputs), dtype=np.float32)
    if not net.endswith("-full"):
        x[r.random(x.shape, dtype=np.float32) > 0.2] = 0
    return x, r.integers(0, outputs, SAMPLES).astype(np.int32)


def ours(net, batch):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    binary = os.path.join(tempfile.gettempdir(), f"dense-bench-{os.getpid()}")
    subprocess.run(["go", "test", "-c", "-o", binary, "./dense"], cwd=root, check=True)

    def epoch():
        out = subprocess.run([binary, "-test.run", "^$", "-test.bench", f"Fit/^{net}$/^batch={batch}$", "-test.benchtime", "1x"],
                             check=True, capture_output=True, text=True).stdout
        return float(re.search(r"([\d.]+) s/epoch", out).group(1))
    return epoch


def jax_epoch(net, batch):
    import jax
    import jax.numpy as jnp
    import numpy as np
    inputs, hidden, outputs, dropout, norm = NETS[net]
    x, y = data(net)
    x, y = jnp.asarray(x), jnp.asarray(y)
    r, params, width = np.random.default_rng(2), [], inputs
    for units in [*hidden, outputs]:
        layer = [jnp.asarray(r.normal(0, (2 / width) ** 0.5, (width, units)), jnp.float32), jnp.zeros(units)]
        if norm and len(params) < len(hidden):
            layer += [jnp.ones(units), jnp.zeros(units)]
        params.append(layer)
        width = units

    def loss(params, x, y, key):
        for i, layer in enumerate(params[:-1]):
            x = x @ layer[0] + layer[1]
            if norm:
                mean, var = x.mean(0), x.var(0)
                x = (x - mean) * jax.lax.rsqrt(var + 1e-3) * layer[2] + layer[3]
            x = jax.nn.relu(x)
            if dropout:
                keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - dropout, x.shape)
                x = jnp.where(keep, x / (1 - dropout), 0)
        z = x @ params[-1][0] + params[-1][1]
        return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()

    def step(state, index):
        params, m, v, t = state
        t = t + 1
        g = jax.grad(loss)(params, x_all[index], y_all[index], jax.random.PRNGKey(t) if dropout else None)
        alpha = 1e-3 * jnp.sqrt(1 - 0.999**t.astype(jnp.float32)) / (1 - 0.9**t.astype(jnp.float32))
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, g)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, g)
        params = jax.tree.map(lambda p, m, v: p - alpha * m / (jnp.sqrt(v) + 1e-7), params, m, v)
        return (params, m, v, t), 0.0

    x_all, y_all = x, y
    whole = SAMPLES // batch * batch
    run = jax.jit(lambda state, order: jax.lax.scan(step, state, order)[0], donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = [(params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32))]

    def epoch():
        order = jnp.asarray(np.random.permutation(SAMPLES)[:whole].reshape(-1, batch))
        began = time.perf_counter()
        state[0] = run(state[0], order)
        jax.block_until_ready(state[0])
        return (time.perf_counter() - began) * SAMPLES / whole
    epoch()  # compiles
    return epoch


def keras_epoch(net, batch, together):
    import keras
    inputs, hidden, outputs, dropout, norm = NETS[net]
    x, y = data(net)
    layers = [keras.Input((inputs,))]
    for units in hidden:
        layers += [keras.layers.Dense(units), keras.layers.BatchNormalization(), keras.layers.Activation("relu")] if norm else [
            keras.layers.Dense(units, "relu")]
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    model = keras.Sequential([*layers, keras.layers.Dense(outputs, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=together)

    def epoch():
        began = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        return time.perf_counter() - began
    epoch()
    return epoch


def sklearn_epoch(net, batch):
    import warnings

    from sklearn.neural_network import MLPClassifier
    inputs, hidden, outputs, dropout, norm = NETS[net]
    if dropout or norm:
        return None
    x, y = data(net)
    warnings.simplefilter("ignore")
    model = MLPClassifier(hidden, batch_size=batch, max_iter=1, alpha=0, warm_start=True)

    def epoch():
        began = time.perf_counter()
        model.fit(x, y)
        return time.perf_counter() - began
    return epoch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--batches", default="32,128,512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="ours,jax,keras,keras50,sklearn")
    parser.add_argument("--json")
    parser.add_argument("--spread", action="store_true", help="print the slowest round too")
    args = parser.parse_args()
    makers = {"ours": ours, "jax": jax_epoch, "keras": lambda n, b: keras_epoch(n, b, 1), "keras50": lambda n, b: keras_epoch(n, b, 50),
              "sklearn": sklearn_epoch}
    names = [n for n in makers if n in args.only.split(",")]
    print(f"{'net':22} {'batch':>5} " + " ".join(f"{n:>16}" for n in names) + f"   seconds per epoch (ours / it), {os.cpu_count()} cores")
    results = []
    for net in args.nets.split(","):
        for batch in map(int, args.batches.split(",")):
            runs = {n: f for n in names if (f := makers[n](net, batch))}
            times = {n: [] for n in runs}
            for _ in range(args.rounds):
                for n, f in runs.items():
                    times[n].append(f())
            best = {n: min(t) for n, t in times.items()}
            results.append({"net": net, "batch": batch, "seconds": best, "rounds": times})
            cells = [f"{best[n]:8.4f}" + (f" ({best['ours'] / best[n]:4.2f})" if n != "ours" and "ours" in best else "       ")
                     if n in best else " " * 15 for n in names]
            print(f"{net:22} {batch:5} " + " ".join(f"{c:>16}" for c in cells), flush=True)
            if args.spread:
                print(" " * 29 + " ".join(f"{f'to {max(times[n]):.4f}' if n in times else '':>16}" for n in names), flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    sys.exit(main())
