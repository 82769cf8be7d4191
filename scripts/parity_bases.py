"""Checks heads that finetune trains on bases against Python.

    python3 scripts/parity_bases.py [NAME…]        # `make parity` runs it, with bin/finetune-tensorflow and bin/infer-tensorflow built

On small bases of every format, each with another preprocessing, and on the flowers of $CAMBIUM_DATA (where that is set), of every image:

- the features that the head was trained on are those that Python computes from the file;
- the exported model gives the same probabilities and classes in Go (infer run) and in each of TensorFlow's loaders, for encoded files
  and for pixels, and what the features and the head's weights say;
- so does model.keras, where the base is a Keras file, in keras.models.load_model;
- the SavedModel holds each weight once, and the head's are the only variables, all of them trainable.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

v1 = tf.compat.v1
tf.get_logger().setLevel("ERROR")
ROOT = pathlib.Path(__file__).resolve().parent.parent
problems = []


# Bases: each is made in a folder, and returns its path, finetune's flags, the images' size and preprocessing, and its features as a function.


def keras_classifier(folder):
    """A .keras classifier that scales its own input, to be cut before its head."""
    body = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1), keras.layers.Conv2D(8, 3, strides=2),
                             keras.layers.BatchNormalization(), keras.layers.ReLU(), keras.layers.Conv2D(16, 3, activation="relu"),
                             keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2)])
    with_head(body, 7).save(folder / "base.keras")
    return folder / "base.keras", [], (32, 32), "none", body


def h5_spatial(folder):
    """An .h5 file without a head, of images of any size, whose features are pooled."""
    x = keras.Input((None, None, 3))
    y = keras.layers.DepthwiseConv2D(3, depth_multiplier=4, padding="same", activation="relu6")(x)
    y = keras.layers.BatchNormalization()(keras.layers.SeparableConv2D(24, 3, padding="same")(y))
    body = keras.Model(x, keras.layers.Add()([y, keras.layers.Conv2D(24, 1)(x)]))
    trained_statistics(body)
    body.save(folder / "base.h5")
    return folder / "base.h5", ["--preprocess", "tf", "--image-size", "40"], (40, 40), "tf", lambda x: tf.reduce_mean(body(x), [1, 2])


def keras_export(folder):
    """What model.export writes of a classifier."""
    body = keras.Sequential([keras.Input((24, 36, 3)), keras.layers.Conv2D(12, 5, strides=2), keras.layers.BatchNormalization(),
                             keras.layers.ReLU(), keras.layers.Flatten()])
    with_head(body, 5).export(folder / "base", verbose=False)
    return folder / "base", ["--preprocess", "unit"], (24, 36), "unit", body


def feature_vector(folder):
    """A SavedModel in the style of TensorFlow Hub: its signature and the output to use are called default."""
    class Vector(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.random.stateless_normal([4, 4, 3, 20], [1, 2], stddev=0.2))

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], name="images")])
        def __call__(self, images):
            spatial = tf.nn.relu(tf.nn.conv2d(images, self.kernel, 3, "SAME"))
            return {"default": tf.reduce_mean(spatial, [1, 2]), "a_map": spatial}

    module = Vector()
    tf.saved_model.save(module, str(folder / "base"), {"default": module.__call__})
    return folder / "base", ["--preprocess", "torch"], (32, 32), "torch", lambda x: module(tf.constant(x))["default"]


def frozen_graph(folder):
    """A frozen TensorFlow 1 classifier whose head is a convolution."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        kernel = lambda *shape: v1.get_variable(f"kernel{shape[0]}", shape, initializer=v1.random_normal_initializer(stddev=0.1, seed=4))
        x = v1.placeholder(tf.float32, [None, 32, 32, 3], "input")
        y = tf.nn.relu6(tf.nn.conv2d(x, kernel(3, 3, 3, 16), 2, "SAME"))
        y = tf.nn.avg_pool2d(y, 16, 1, "VALID", name="pool")
        logits = tf.squeeze(tf.nn.conv2d(y, kernel(1, 1, 16, 6), 1, "SAME"), [1, 2], name="Logits/squeezed")
        tf.nn.softmax(logits, name="probabilities")
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["probabilities"])
    (folder / "base.pb").write_bytes(frozen.SerializeToString())
    features = v1.wrap_function(lambda: tf.import_graph_def(frozen, name=""), []).prune("input:0", "pool:0")
    return folder / "base.pb", ["--preprocess", "caffe"], (32, 32), "caffe", lambda x: tf.reshape(features(tf.constant(x)), [len(x), -1])


def flowers(_):
    """MobileNet V1 0.25/128, on photographs."""
    path = DATA / "base/mobilenet_v1_025_128_features.keras"
    return path, [], (128, 128), "tf", keras.models.load_model(path, compile=False)


def with_head(body, classes):
    trained_statistics(body)
    model = keras.Sequential([*body.layers, keras.layers.Dense(classes, activation="softmax")])
    model.build(body.input_shape)
    return model


def trained_statistics(model):
    """Gives batch normalization what it has after training."""
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights([generator.uniform(0.5, 1.5, n), generator.normal(0, 0.3, n), generator.normal(0, 0.3, n), generator.uniform(0.5, 1.5, n)])


# Images.


def pictures(folder):
    """Images of three classes in every format that is read, with and without colours and transparency, in two sizes."""
    generator = np.random.default_rng(1)
    for c, name in enumerate(["Gänseblümchen", "rose", "two words"]):
        (folder / name).mkdir(parents=True)
        for i in range(12):
            kind, size = ["jpg", "gray.png", "gif", "png", "bmp", "alpha.png"][i % 6], [(48, 40, 3), (32, 36, 3)][i // 2 % 2]
            pixels = np.clip(generator.normal(90, 50, size) + 60 * (np.arange(3) == c), 1, 255).astype("uint8")
            pixels = {"gray.png": pixels[..., :1], "alpha.png": np.concatenate([pixels, pixels[..., :1]], -1)}.get(kind, pixels)
            file = folder / name / f"{i:02}.{kind}"
            if kind == "jpg":
                file.write_bytes(tf.io.encode_jpeg(pixels, quality=90).numpy())
            elif kind in ("gif", "bmp"):
                keras.utils.array_to_img(pixels, scale=False).save(file)
            else:
                file.write_bytes(tf.io.encode_png(pixels).numpy())
    return folder


def pixels(content):
    return tf.io.decode_image(content, channels=3, expand_animations=False)


def prepared(content, size, how):
    """What the base takes, as a Python program makes it of a file."""
    x = tf.image.resize(pixels(content), size).numpy()
    if how == "unit":
        return x / 255
    return x if how == "none" else keras.applications.imagenet_utils.preprocess_input(x, mode=how)


# finetune and infer.


def run(command, *arguments, **environment):
    line = [str(a) for a in [ROOT / "bin" / command, *arguments]]
    done = subprocess.run(line, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(f"{' '.join(line)}: {done.stderr}")
    return done.stdout


def cached(folder, width):
    """The features that a head was trained on, by the SHA-256 of the image. finetune keeps them in records of hash, features, checksum."""
    found, size = {}, 32 + 4 * width + 4
    for file in folder.glob("cambium/features/*/*.features"):
        data = file.read_bytes()
        for at in range(0, len(data), size):
            found[data[at:at + 32]] = np.frombuffer(data[at + 32:at + size - 4], "<f4")
    return found


def infer(model, signature, name, values, folder):
    np.save(folder / "in.npy", values)
    run("infer-tensorflow", "run", model, "--signature", signature, "--input", f"{name}={folder / 'in.npy'}", "--output", folder / "out.npz")
    return dict(np.load(folder / "out.npz"))


# Comparisons.


def near(what, want, got, tolerance):
    want, got = np.asarray(want), np.asarray(got)
    worst = float(np.max(np.abs(want - got) / np.maximum(1, np.abs(want)))) if want.shape == got.shape else f"{want.shape}, {got.shape}"
    if not (isinstance(worst, float) and worst <= tolerance):
        problems.append(f"{what}: differs by {worst}")
    return worst


def same(what, want, got):
    if set(want) != set(got):
        problems.append(f"{what}: outputs {sorted(got)}, not {sorted(want)}")
        return
    near(f"{what}: probabilities", want["probabilities"], got["probabilities"], 1e-5)
    if np.asarray(want["class"]).astype("S").tolist() != np.asarray(got["class"]).astype("S").tolist():
        problems.append(f"{what}: class differs")


def answers(name, model, signature, key, values, folder):
    """Go's answers, compared with those of each of TensorFlow's loaders."""
    want = infer(model, signature, key, values, folder)
    x, what = tf.constant(values.tolist() if values.dtype.kind == "S" else values), f"{name}, {signature}"
    same(f"{what}, tf.saved_model.load", want, tf.saved_model.load(str(model)).signatures[signature](x))
    same(f"{what}, TFSMLayer", want, keras.layers.TFSMLayer(str(model), call_endpoint=signature)(x))
    with tf.Graph().as_default(), v1.Session() as session:
        ends = v1.saved_model.load(session, ["serve"], str(model)).signature_def[signature]
        same(f"{what}, v1 loader", want, session.run({k: v.name for k, v in ends.outputs.items()}, {ends.inputs[key].name: x.numpy()}))
    return want


def variables(name, model, width, classes):
    """The head's kernel and bias are the variables, all trainable; the base's weights are constants, once."""
    listed = {k: s for k, s in tf.train.list_variables(str(model / "variables/variables")) if not k.startswith("_CHECKPOINTABLE")}
    shapes = sorted([[width, classes], [classes]])
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(model))
        collections = {"variables": v1.global_variables(), "trainable variables": v1.trainable_variables()}
        found = {what: [v.shape.as_list() for v in list_] for what, list_ in collections.items()}
    found["variables in the checkpoint"] = list(listed.values())
    loaded = tf.saved_model.load(str(model))
    found["variables of tf.saved_model.load"] = [v.shape.as_list() for v in loaded.variables]
    for what, have in found.items():
        if sorted(map(list, have)) != shapes:
            problems.append(f"{name}: {what}: {have}, not {shapes}")
    definition = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    constants = [n.attr["value"].tensor.SerializeToString() for n in definition.node if n.op == "Const"]
    large = [hashlib.sha256(c).digest() for c in constants if len(c) > 4096]
    if len(large) != len(set(large)):
        problems.append(f"{name}: the same constant is in the graph twice")


def head_of(model):
    """The kernel and the bias."""
    reader = tf.train.load_checkpoint(str(model / "variables/variables"))
    values = [reader.get_tensor(k) for k in reader.get_variable_to_shape_map() if not k.startswith("_CHECKPOINTABLE")]
    return sorted(values, key=np.ndim, reverse=True)


def check(make, data, folder):
    name, folder = make.__name__, folder / make.__name__
    folder.mkdir()
    keras.utils.set_random_seed(1)
    base, flags, size, how, features = make(folder)
    out = folder / "out"
    report = json.loads(run("finetune-tensorflow", "--base", base, "--data", data, "--out", out, "--json", "--validation-split", "0.25",
                            "--epochs", "30", *flags, XDG_CACHE_HOME=str(folder / "cache")))
    if "skipped" in report["data"]:
        problems.append(f"{name}: skipped {report['data']['skipped']}")
    files = sorted(p for p in data.glob("*/*"))
    contents = [p.read_bytes() for p in files]
    ready = np.stack([prepared(c, size, how) for c in contents]).astype("float32")
    python = np.concatenate([np.asarray(features(ready[i:i + 32])) for i in range(0, len(ready), 32)])
    ours = cached(folder / "cache", python.shape[1])
    if len(ours) != len({hashlib.sha256(c).digest() for c in contents}):
        problems.append(f"{name}: {len(ours)} features were kept of {len(files)} images")
    worst = near(f"{name}: features", python, np.stack([ours[hashlib.sha256(c).digest()] for c in contents]), 1e-4)

    model, classes = out / "saved_model", report["data"]["classes"]
    by_file = answers(name, model, "serving_bytes", "bytes", np.array(contents), folder)
    raw = [pixels(c).numpy() for c in contents]
    shapes = sorted({x.shape for x in raw})
    if len(shapes) <= 4:
        for shape in shapes:
            some = [i for i, x in enumerate(raw) if x.shape == shape]
            by_pixels = answers(name, model, "serving_default", "image", np.stack([raw[i] for i in some]).astype("float32"), folder)
            same(f"{name}, pixels of {shape} and the files", {k: v[some] for k, v in by_file.items()}, by_pixels)
    else:  # resized already
        resized = np.stack([tf.image.resize(x, size).numpy() for x in raw])
        same(f"{name}, pixels and the files", by_file, answers(name, model, "serving_default", "image", resized, folder))
    if pathlib.Path(base).suffix in (".keras", ".h5"):
        again = keras.models.load_model(out / "model.keras")
        for shape in shapes if len(shapes) <= 4 else [None]:
            some = [i for i, x in enumerate(raw) if shape in (None, x.shape)]
            x = np.stack([raw[i] if shape else tf.image.resize(raw[i], size) for i in some]).astype("float32")
            near(f"{name}, model.keras", by_file["probabilities"][some], again.predict(x, verbose=0), 1e-5)
    elif (out / "model.keras").exists():
        problems.append(f"{name}: there is a model.keras of a base that is none")
    variables(name, model, python.shape[1], len(classes))
    if [c.decode() for c in by_file["class"]] != [classes[i] for i in by_file["probabilities"].argmax(1)]:
        problems.append(f"{name}: class is not that of the largest probability")
    named = lambda paths, *flags: [p["top"][0]["label"] for p in json.loads(run("infer-tensorflow", "run", model, "--json", *flags, *paths))["predictions"]]
    if named(files) != [c.decode() for c in by_file["class"]]:
        problems.append(f"{name}: infer run on image files names other classes")
    exact = [i for i, f in enumerate(files) if f.suffix != ".jpg"]  # JPEG decoders differ by a few levels
    if exact and named([files[i] for i in exact], "--signature", "serving_default") != [by_file["class"][i].decode() for i in exact]:
        problems.append(f"{name}: infer run on images of several sizes names other classes")
    right = np.mean([c.decode() == p.parent.name for c, p in zip(by_file["class"], files)])
    print(f"{name}: {len(files)} images, features differ by {worst:.1e}, accuracy on all of them {right:.3f}")


DATA = pathlib.Path(os.environ.get("CAMBIUM_DATA") or "/nowhere")


def main(names):
    small = [keras_classifier, h5_spatial, keras_export, feature_vector, frozen_graph]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = pictures(folder / "pictures")
        for make in small:
            if not names or make.__name__ in names:
                check(make, data, folder)
        if DATA.is_dir() and (not names or "flowers" in names):
            check(flowers, DATA / "flowers200", folder)
    if problems:
        sys.exit("\n".join(problems))
    print("Python's features, and TensorFlow's and Go's answers, are the same")


if __name__ == "__main__":
    main(sys.argv[1:])
