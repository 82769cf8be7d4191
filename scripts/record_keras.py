"""Records keras/testdata/models: small models of each layer family, as files of Keras 3 and tf_keras, with what Python computes.

    python3 scripts/record_keras.py [NAME…]     # only these cases; the other files stay

The tests of package keras that need no Python read them. NAME.npz holds x0, x1 … and y0, y1 …; summary.json the rows of
model.summary(): name, class, output shape, number of parameters.
"""
import json
import pathlib
import shutil
import sys
import warnings

import keras_cases  # sets the environment
import keras
import tf_keras

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parent.parent / "keras/testdata/models"
# name of the case: the formats to record, by library
CASES = {
    "sequential-mlp": [("keras", "keras"), ("tf_keras", "h5")],
    "conv2d-last-same": [("keras", "h5"), ("tf_keras", "keras")],
    "conv2d-first-dilated": [("keras", "keras")],
    "conv3d-last-dilated-same": [("keras", "keras")],
    "transpose2d-last-same": [("keras", "h5")],
    "separable2d-last-same": [("keras", "keras")],
    "depthwise2d-last-dilated": [("tf_keras", "h5")],
    "maxpool2d-last-same": [("keras", "keras")],
    "batchnorm-axis1": [("keras", "h5")],
    "groupnorm": [("keras", "keras")],
    "layernorm-axes": [("keras", "keras")],
    "up2d-bilinear": [("keras", "keras")],
    "lstm-masked-sequences": [("keras", "keras"), ("tf_keras", "h5")],
    "gru-long-sequences": [("keras", "keras")],
    "bidirectional-lstm-masked": [("tf_keras", "h5")],
    "convlstm-same": [("keras", "keras")],
    "mha-masked": [("keras", "keras"), ("tf_keras", "h5")],
    "attention-concat": [("keras", "h5")],
    "merge-concat": [("tf_keras", "keras")],
    "embedding-mask-pool": [("keras", "keras")],
    "model-nested": [("keras", "keras"), ("keras", "h5"), ("tf_keras", "h5")],
    "model-shared": [("tf_keras", "h5")],
    "model-two-outputs": [("keras", "keras")],
    "ops-arithmetic": [("keras", "keras")],
    "ops-slice": [("keras", "h5")],
    "policy-mixed_float16": [("keras", "keras")],
    "quantized-int8": [("keras", "keras"), ("keras", "h5")],
    "textvec-tfidf": [("keras", "keras")],
    "stringlookup": [("keras", "h5")],
    "resizing-crop": [("keras", "keras")],
    "normalization-weights": [("tf_keras", "keras")],
    "nested-ends": [("keras", "keras"), ("tf_keras", "h5")],
    "sequential-called": [("keras", "keras")],
    "quantized-einsum-heads": [("keras", "h5")],
    "mask-add-half": [("keras", "keras"), ("tf_keras", "h5")],
    "locally2d-stride": [("tf_keras", "h5")],
    "tf-split-sizes": [("tf_keras", "h5")],
    "ops-solve-vectors": [("keras", "keras")],
    "ops-singular-vectors": [("keras", "h5")],
    "ops-fourier-real": [("keras", "keras")],
    "ops-segments": [("keras", "keras")],
    "lora-conv": [("keras", "h5")],
    "lora-dense": [("keras", "h5"), ("keras", "keras")],
    "leaky-2": [("keras", "keras")],
    "ops-einsum-ellipsis": [("keras", "keras")],
}


def main():
    only, path = sys.argv[1:], OUT / "summary.json"
    summaries = json.loads(path.read_text()) if only else {}
    if not only:
        shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    built = {"keras": keras_cases.build(keras), "tf_keras": keras_cases.build(tf_keras)}
    for name, ways in CASES.items():
        if only and name not in only:
            continue
        for library, ext in ways:
            file = f"{name}-{library}-{ext}"
            keras_cases.save(built[library][name], file, OUT, formats=[ext])
            summaries[f"{file}.{ext}"] = json.loads((OUT / f"{file}.json").read_text())
            (OUT / f"{file}.json").unlink()
    path.write_text(json.dumps(summaries, indent=1) + "\n")


main()
