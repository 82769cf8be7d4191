"""Weights and inputs for the models of keras_cases.py and keras_models.py. Importing it sets the environment for Keras."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np


def fill(model, seed):
    """Gives every weight a value that shows in the result: no zero biases, no unit scales, positive variances."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        name, shape = w.path if hasattr(w, "path") else w.name, tuple(w.shape)
        if "int" in str(w.dtype):
            continue
        if "variance" in name or "stddev" in name:
            v = rng.uniform(0.5, 2, shape)
        elif "gamma" in name or name.endswith("scale"):
            v = rng.uniform(0.5, 1.5, shape)
        elif "kernel_scale" in name or "embeddings_scale" in name:
            continue
        else:
            v = rng.normal(0, 0.5 / max(1, np.prod(shape[:-1]) ** 0.25), shape)
        w.assign(v.astype(np.float32))
    for layer in model.layers:
        if hasattr(layer, "finalize_state") and type(layer).__name__ == "Normalization":
            layer.finalize_state()
    return model


def inputs(rng, batch, shape, kind):
    shape = (batch,) + tuple(d or 7 for d in shape)
    if kind.startswith("int:"):
        return rng.integers(0, int(kind[4:]), shape).astype(np.int32)
    if kind == "image":
        return rng.uniform(0, 255, shape).astype(np.float32)
    if kind == "masked":  # whole steps of zeros at the end
        x = rng.normal(0, 1, shape).astype(np.float32)
        for i in range(batch):
            x[i, shape[1] - i - 1:] = 0
        return x
    return rng.normal(0, 1, shape).astype(np.float32)
