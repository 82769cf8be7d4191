"""Records keras/testdata/models: small models of each layer family, as files of Keras 3 and tf_keras, with what Python computes.

    python3 scripts/record_keras.py

The tests of package keras that need no Python read them. NAME.npz holds x0, x1 … and y0, y1 …; summary.json the rows of
model.summary(): name, class, output shape, number of parameters.
"""
import json
import pathlib
import shutil
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
}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    built = {"keras": keras_cases.build(keras), "tf_keras": keras_cases.build(tf_keras)}
    summaries = {}
    for name, ways in CASES.items():
        for library, ext in ways:
            file = f"{name}-{library}-{ext}"
            made = {}

            def case():
                made["model"], x = built[library][name]()
                return made["model"], x

            keras_cases.save(case, file, OUT, formats=[ext])
            rows = []
            for layer in made["model"].layers:
                texts = type(layer).__name__ == "TextVectorization"  # Keras tells the wrong rank
                shape = layer.output.shape if not texts and hasattr(layer, "output") and not isinstance(layer.output, (list, tuple)) else None
                rows.append([layer.name, layer.count_params(), None if shape is None else [d for d in shape]])
            summaries[f"{file}.{ext}"] = rows
    (OUT / "summary.json").write_text(json.dumps(summaries, indent=1) + "\n")


main()
