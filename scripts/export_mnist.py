"""Trains two small models on MNIST and exports each in every format that people deploy.

    python3 scripts/export_mnist.py MNIST [DIR]        # default: scripts/testdata/mnist

MNIST is a folder with the four IDX files (train-images-idx3-ubyte.gz …). For the models "mlp" (784-128-10 on flattened
digits) and "cnn" (two convolutions on [28,28,1]) it writes under DIR:

    mlp/my_mnist.h5        Keras HDF5; the MLP's holds the state of its optimizer too
    mlp/my_mnist.keras     the Keras 3 format
    mlp/saved_model/       model.export: a TF 2 SavedModel
    mlp/saved_model_tf1/   SavedModelBuilder in a session: the MLP's has reference variables (VariableV2), the CNN's resources
    mlp/frozen.pb          a GraphDef with constants for variables: the MLP's from the TF 1 graph, the CNN's from the TF 2 function
    digits/0_0.png …       20 digits of the test set, the first two of each class, and labels.txt: which digit each file shows
    classes.txt            the names of the classes in the order of the scores
    golden.json            each model's probabilities for each digit, and its accuracy on the test set

All of a model's files hold the same weights; every SavedModel and frozen graph is run again before it is kept.
"""
import gzip
import json
import os
import pathlib
import shutil
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

v1 = tf.compat.v1
TOLERANCE = 2e-6  # of a probability, between two ways to run the same kernels


def read_idx(path):
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mlp():
    return keras.Sequential([
        keras.Input((784,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ], name="my_mnist")


def cnn():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ], name="my_mnist")


def tf1_scores(x, weights):
    """The same two networks in the vocabulary of TF 1: returns the probabilities, and the variables in the order of weights."""
    variables = []

    def variable(name):
        value = weights[len(variables)]
        variables.append(v1.get_variable(name, value.shape, initializer=v1.zeros_initializer()))
        return variables[-1]

    if len(weights) == 4:
        with v1.variable_scope("dense"):
            x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, variable("kernel")), variable("bias")))
    else:
        for scope in ("conv2d", "conv2d_1"):
            with v1.variable_scope(scope):
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, variable("kernel"), 1, "VALID"), variable("bias")))
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.reshape(x, [-1, 400])
    with v1.variable_scope("dense_1"):
        logits = tf.nn.bias_add(tf.matmul(x, variable("kernel")), variable("bias"))
    return tf.nn.softmax(logits, name="scores"), variables


def export_tf1(directory, input_shape, weights, use_resource):
    """Writes directory/saved_model_tf1 with three signatures, and returns the frozen graph."""
    build = v1.saved_model
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable_scope().set_use_resource(use_resource)
        x = v1.placeholder(tf.float32, (None, *input_shape), name="x")
        scores, variables = tf1_scores(x, weights)
        classes = tf.as_string(tf.argmax(scores, 1), name="classes")
        session.run(v1.global_variables_initializer())
        for v, value in zip(variables, weights):
            v.load(value, session)
        info = build.build_tensor_info
        signatures = {
            "serving_default": build.build_signature_def({"images": info(x)}, {"scores": info(scores)}, "tensorflow/serving/predict"),
            "predict_images": build.build_signature_def({"images": info(x)}, {"scores": info(scores), "classes": info(classes)}, "tensorflow/serving/predict"),
            "classify": build.build_signature_def({"inputs": info(x)}, {"classes": info(classes), "scores": info(scores)}, "tensorflow/serving/classify"),
        }
        builder = build.Builder(str(directory / "saved_model_tf1"))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()
        return v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["scores"])


def frozen_function(model):
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="x")
    frozen = convert_variables_to_constants_v2(tf.function(lambda x: model(x, training=False)).get_concrete_function(spec))
    return frozen.graph.as_graph_def(), frozen.outputs[0].name


def run_tf1(path, tags, x):
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, tags, str(path)).signature_def["predict_images"]
        return session.run(signature.outputs["scores"].name, {signature.inputs["images"].name: x})


def run_frozen(path, output, x):
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(output, {"x:0": x})


def export(model, directory, x, want):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    plain = keras.Sequential.from_config(model.get_config())  # the same without an optimizer
    plain.set_weights(model.get_weights())
    (model if directory.name == "mlp" else plain).save(directory / "my_mnist.h5")
    plain.save(directory / "my_mnist.keras")
    plain.export(directory / "saved_model", verbose=False)

    frozen = export_tf1(directory, model.input_shape[1:], model.get_weights(), use_resource=directory.name == "cnn")
    output = "scores:0"
    if directory.name == "cnn":
        frozen, output = frozen_function(plain)
    (directory / "frozen.pb").write_bytes(frozen.SerializeToString())

    signature = tf.saved_model.load(str(directory / "saved_model")).signatures["serving_default"]
    runs = {
        "my_mnist.h5": keras.models.load_model(directory / "my_mnist.h5").predict(x, verbose=0),
        "my_mnist.keras": keras.models.load_model(directory / "my_mnist.keras").predict(x, verbose=0),
        "saved_model": signature(**{name: tf.constant(x) for name in signature.structured_input_signature[1]})["output_0"].numpy(),
        "saved_model_tf1": run_tf1(directory / "saved_model_tf1", ["serve"], x),
        "frozen.pb": run_frozen(directory / "frozen.pb", output, x),
    }
    for name, got in runs.items():
        worst = np.abs(got - want).max()
        print(f"  {name}: differs from model.predict by at most {worst:.2g}")
        if worst > TOLERANCE:
            raise SystemExit(f"{directory / name} does not predict what the model does")


def write_digits(images, labels, directory):
    """Writes the first two test digits of each class and returns their names and places in the test set."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    names, places = [], []
    for digit in range(10):
        for i, place in enumerate(np.flatnonzero(labels == digit)[:2]):
            names.append(f"{digit}_{i}.png")
            places.append(place)
            Image.fromarray(images[place]).save(directory / names[-1], optimize=True)
    (directory / "labels.txt").write_text("".join(f"{name} {labels[place]}\n" for name, place in zip(names, places)))
    return names, places


def main(mnist, out):
    (x, y), (x_test, y_test) = [(read_idx(mnist / f"{s}-images-idx3-ubyte.gz"), read_idx(mnist / f"{s}-labels-idx1-ubyte.gz")) for s in ("train", "t10k")]
    names, places = write_digits(x_test, y_test, out / "digits")
    (out / "classes.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    golden = {"accuracy": {}, "probabilities": {}}
    tf.config.experimental.enable_op_determinism()
    for name, build, epochs in (("mlp", mlp, 6), ("cnn", cnn, 3)):
        keras.backend.clear_session()
        keras.utils.set_random_seed(42)
        model = build()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        prepared = [(a / 255).astype(np.float32).reshape(-1, *model.input_shape[1:]) for a in (x, x_test)]
        model.fit(prepared[0], y, batch_size=128, epochs=epochs, verbose=2)
        accuracy = model.evaluate(prepared[1], y_test, batch_size=1000, verbose=0)[1]
        probabilities = model.predict(prepared[1][places], verbose=0)
        print(f"{name}: accuracy {accuracy:.4f}, {(probabilities.argmax(1) == y_test[places]).sum()} of {len(places)} digits right")
        export(model, out / name, prepared[1][places], probabilities)
        golden["accuracy"][name] = round(accuracy, 4)
        golden["probabilities"][name] = {n: [float(f"{v:.9g}") for v in p] for n, p in zip(names, probabilities)}
    (out / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if len(sys.argv) < 2:
    raise SystemExit(__doc__)
main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).parent / "testdata/mnist")
