"""Checks what Go writes: Keras 3 and tf_keras open the files, predict the same, and go on training as if nothing had happened.

    python3 scripts/parity_write.py [--all | PATTERN…]     # without either, every seventh model

A model is trained for a few steps and saved; Go reads it and writes it again as .keras and as .h5. The written files must load with
equal weights and predictions, and, compiled, must give the same losses in further training as the model that was never saved: .keras in
Keras 3, .h5 in tf_keras. The two other ways end at the Kerases themselves: Keras 3.15 cannot train from any .h5 with an optimizer's
state, its own included, before compile is called again; tf_keras takes an optimizer without is_legacy_optimizer, which Keras 3 refuses,
for a legacy one, and those do not read the state of an archive. tf_keras' .h5 does not know AdamW at all.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import keras_cases  # sets the environment
import keras
import numpy as np
import tf_keras

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent
# layers that only one of the two has, or whose settings tf_keras does not know
KERAS3_ONLY = ("mask", "initial", "encoder", "state", "ops-", "gqa", "rmsnorm", "spectral", "adaptive", "policy-", "quantized", "transformer", "mha", "attention", "merge-ranks", "textvec", "lookup", "hard", "soft_shrink", "text-", "strings-", "integers-", "names", "-vit", "layer-activation", "random-contrast", "random-crop")


def trained(K, optimizer):
    K.utils.set_random_seed(3)
    L = K.layers
    i = K.Input((12,))
    y = L.BatchNormalization()(L.Dense(16, "relu", kernel_regularizer=K.regularizers.L2(1e-3))(i))
    m = K.Model(i, L.Dense(4, "softmax")(y))
    m.compile(optimizer=optimizer(K), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(5)
    x, t = rng.normal(0, 1, (64, 12)).astype(np.float32), rng.integers(0, 4, 64)
    m.fit(x, t, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return m, x, t


OPTIMIZERS = {
    "adam": lambda K: K.optimizers.Adam(0.01), "sgd": lambda K: K.optimizers.SGD(0.05, momentum=0.9), "nesterov": lambda K: K.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda K: K.optimizers.RMSprop(0.005), "adamw": lambda K: K.optimizers.AdamW(0.01), "plain": lambda K: K.optimizers.SGD(0.1),
    "rmsprop-momentum": lambda K: K.optimizers.RMSprop(0.005, momentum=0.9, centered=True), "amsgrad": lambda K: K.optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5),
}


def main():
    patterns = [a for a in sys.argv[1:] if a != "--all"]
    every = 1 if patterns or "--all" in sys.argv or os.environ.get("PARITY") == "all" else 7
    failed = checked = 0

    def problem(what, error):
        nonlocal failed
        failed += 1
        print(f"{what}: {str(error).strip().splitlines()[-1][:300] if str(error).strip() else repr(error)}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        models = {}
        for K in (keras, tf_keras):
            for name, o in OPTIMIZERS.items():
                name = f"train-{name}-{K.__name__}"
                if not patterns or any(p in name for p in patterns):
                    m, x, t = trained(K, o)
                    for ext in ("keras", "h5"):
                        m.save(tmp / f"{name}.in.{ext}")
                    models[name] = (K, m, [x], t)
        for name, case in list(keras_cases.build(keras).items())[::every]:
            if not patterns or any(p in name for p in patterns):
                m, x = case()
                for ext in ("keras", "h5"):
                    m.save(tmp / f"{name}.in.{ext}")
                models[name] = (keras, m, x, None)
        done = subprocess.run(["go", "test", "-count=1", "-run", "TestRewrite$", "./keras"], cwd=ROOT, env=dict(os.environ, CAMBIUM_REWRITE=str(tmp)), capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-6000:], file=sys.stderr)
            failed += 1
        old = keras_cases.build(tf_keras)
        for name, (K, m, x, t) in models.items():
            strings = x[0].dtype == object
            if strings:
                import tensorflow as tf
                x = [tf.constant(x[0].astype(str))]
            call = lambda model: model(x[0] if len(x) == 1 else x, training=False)
            flat = lambda y: [np.asarray(v) if "string" in str(getattr(v, "dtype", "")) else np.asarray(v, np.float32) for v in keras_cases.flat(y)]
            want = flat(call(m))
            further = None
            for source in ("keras", "h5"):
                for ext in ("keras", "h5"):
                    path = tmp / f"{name}.{source}.out.{ext}"
                    if not path.exists():
                        continue
                    for reader in (keras, tf_keras):
                        if reader is tf_keras and K is keras and t is None and (name not in old or any(p in name for p in KERAS3_ONLY)):
                            continue
                        if reader is tf_keras and K is keras and t is None and "-first" in name:
                            continue
                        if ext == "h5" and ("bfloat16" in name or reader is keras and name in ("ops-index", "ops-topk")):
                            continue  # Keras cannot read its own
                        if name in ("ops-tensordot", "ops-inner", "ops-average"):
                            continue  # operations on constant arrays are read, not written
                        what = f"{name}: saved as .{source}, written as .{ext}, read by {reader.__name__}"
                        checked += 1
                        try:
                            unknown = reader is tf_keras and ext == "h5" and "adamw" in name
                            back = reader.models.load_model(path, compile=not unknown)
                            for a, b in [] if reader is not K and name == "nested-timedistributed" or name.startswith("lora-") else zip(m.weights, back.weights):  # tf_keras has another order; adapters are merged
                                np.testing.assert_array_equal(np.asarray(a, np.float32), np.asarray(b, np.float32))
                            for a, b in zip(want, flat(call(back))):
                                if a.dtype == object:
                                    np.testing.assert_array_equal(a, b)
                                    continue
                                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
                            if t is not None and not (reader is keras) == (ext == "keras"):
                                back.compile("sgd", "sparse_categorical_crossentropy")
                                back.fit(x[0], t, batch_size=16, verbose=0)
                            elif t is not None and not unknown:
                                if further is None:
                                    copy = K.models.load_model(tmp / f"{name}.in.keras")
                                    further = copy.fit(x[0], t, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
                                losses = back.fit(x[0], t, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
                                np.testing.assert_allclose(losses, further, rtol=1e-5)
                        except Exception as e:
                            problem(what, e)
    print(f"{len(models)} models, {checked} files read by Keras {keras.__version__} and tf_keras {tf_keras.__version__}, {failed} problems")
    sys.exit(bool(failed))


main()
