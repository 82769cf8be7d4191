"""Writes tiny SavedModels, one for each thing that a reader or a runtime can get wrong, and what TensorFlow says of them.

    python3 scripts/export_models.py [DIR]        # default: scripts/testdata/models

Each DIR/NAME holds saved_model/ and expected.json:

    {"meta_graphs": [{"tags": […], "signatures": [{"name", "method", "inputs": [{"name", "dtype", "shape", "tensor"}], "outputs": […]}]}],
     "calls": [{"signature": "serving_default", "inputs": {"x": {"dtype", "shape", "data"}}, "outputs": {…}}]}

The calls were made one after the other on one loaded model, in this order (the counter counts on). Unknown dimensions are -1,
an unknown rank is null. data is a nested list; strings that are not UTF-8 are {"b64": …}, a complex number is [real, imaginary].
"""
import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

v1 = tf.compat.v1
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "testdata/models").absolute()
F32, I64, STR = tf.float32, tf.int64, tf.string


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name)


def f32(*values):
    return np.array(values, np.float32)


# What expected.json says.

def dtype_name(dtype):
    return "object" if dtype == tf.string else dtype.name


def described(array):
    array = np.asarray(array)
    kind = "object" if array.dtype.kind in "OSU" else array.dtype.name

    def element(v):
        if kind == "object":
            v = v if isinstance(v, bytes) else v.encode()
            try:
                return v.decode()
            except UnicodeDecodeError:
                return {"b64": base64.b64encode(v).decode()}
        if kind.startswith("complex"):
            return [float(v.real), float(v.imag)]
        return bool(v) if kind == "bool" else int(v) if "int" in kind else float(v)

    def nested(a):
        return element(a[()]) if a.ndim == 0 else [nested(a[i]) if a.ndim > 1 else element(a[i]) for i in range(len(a))]

    return {"dtype": kind, "shape": list(array.shape), "data": nested(array)}


def described_tensors(infos):
    def shape(s):
        return None if s.unknown_rank else [d.size for d in s.dim]

    return [{"name": name, "dtype": dtype_name(tf.as_dtype(i.dtype)), "shape": shape(i.tensor_shape), "tensor": i.name} for name, i in sorted(infos.items())]


def described_meta_graph(meta):
    return {"tags": list(meta.meta_info_def.tags), "signatures": [
        {"name": name, "method": s.method_name, "inputs": described_tensors(s.inputs), "outputs": described_tensors(s.outputs)}
        for name, s in sorted(meta.signature_def.items()) if name != "__saved_model_init_op"]}


def read_proto(directory):
    model = saved_model_pb2.SavedModel()
    if (directory / "saved_model.pb").exists():
        model.ParseFromString((directory / "saved_model.pb").read_bytes())
    else:
        text_format.Parse((directory / "saved_model.pbtxt").read_text(), model)
    return model


def run_signatures(directory, calls):
    """Runs the calls with tf.saved_model.load, in eager mode."""
    signatures = tf.saved_model.load(str(directory)).signatures
    for name, inputs in calls:
        wanted = signatures[name].structured_input_signature[1]
        yield {k: v.numpy() for k, v in signatures[name](**{k: tf.constant(v, wanted[k].dtype) for k, v in inputs.items()}).items()}


def run_session(directory, calls, tags=("serve",)):
    """Runs the calls in a session, as TF 1 does."""
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = v1.saved_model.load(session, list(tags), str(directory)).signature_def
        for name, inputs in calls:
            s = signatures[name]
            yield session.run({k: i.name for k, i in s.outputs.items()}, {s.inputs[k].name: v for k, v in inputs.items()})


def record(name, calls, run=run_signatures):
    directory = OUT / name / "saved_model"
    rows = []
    for (signature, inputs), outputs in zip(calls, run(directory, calls)):
        rows.append({"signature": signature, "inputs": {k: described(v) for k, v in inputs.items()}, "outputs": {k: described(v) for k, v in outputs.items()}})
    def lines(rows):
        return "[\n  " + ",\n  ".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]"

    meta_graphs = [described_meta_graph(m) for m in read_proto(directory).meta_graphs]
    (OUT / name / "expected.json").write_text(f'{{"meta_graphs": {lines(meta_graphs)},\n"calls": {lines(rows)}}}\n')


def save(name, module, signatures, calls):
    tf.saved_model.save(module, str(OUT / name / "saved_model"), signatures=signatures)
    record(name, calls)


# The models: TF 2.

def counter():
    class Counter(tf.Module):
        def __init__(self):
            self.count = tf.Variable(0, dtype=I64, name="count")

        @tf.function(input_signature=[spec((), I64, "by")])
        def add(self, by):
            return {"count": self.count.assign_add(by)}

    m = Counter()
    save("counter", m, {"serving_default": m.add}, [("serving_default", {"by": np.int64(v)}) for v in (1, 2, 40)])


def strings():
    m = tf.Module()
    m.join = tf.function(lambda first, second: {"joined": tf.strings.join([first, second], "-"), "length": tf.strings.length(first)},
                         input_signature=[spec([None], STR, "first"), spec([None], STR, "second")])
    calls = [{"first": np.array([b"a", b"", b"\xff\x00\x80", "☃".encode()], object), "second": np.array([b"b", b"c", b"d", b"x" * 40], object)},
             {"first": np.array([], object), "second": np.array([], object)}]
    save("strings", m, {"serving_default": m.join}, [("serving_default", c) for c in calls])


def dtypes():
    """A signature for each element type: y = x + x (bool: not x)."""
    m, signatures, calls = tf.Module(), {}, []
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"):
        dtype = tf.as_dtype(name)
        f = tf.function(lambda x: {"y": tf.logical_not(x) if x.dtype == tf.bool else x + x}, input_signature=[spec([None, 2], dtype, "x")])
        setattr(m, name, f)
        signatures[name] = f
        values = [[1 - 2j, 3j]] if dtype.is_complex else [[True, False]] if dtype == tf.bool else [[1, 100]] if dtype.is_integer else [[1.5, -0.25]]
        if name in ("int8", "uint8"):
            values = [[1, 60]]
        calls.append((name, {"x": np.array(values).astype(dtype.as_numpy_dtype)}))
    save("dtypes", m, signatures, calls)


def table():
    vocabulary = pathlib.Path("vocabulary.txt")
    vocabulary.write_text("daisy\nrose\ntulip\n")

    class Table(tf.Module):
        def __init__(self):
            self.vocabulary = tf.saved_model.Asset(vocabulary.name)
            init = tf.lookup.TextFileInitializer(self.vocabulary, STR, tf.lookup.TextFileIndex.WHOLE_LINE, I64, tf.lookup.TextFileIndex.LINE_NUMBER)
            self.table = tf.lookup.StaticHashTable(init, -1)

        @tf.function(input_signature=[spec([None], STR, "word")])
        def lookup(self, word):
            return {"index": self.table.lookup(word)}

    m = Table()
    save("table", m, {"serving_default": m.lookup}, [("serving_default", {"word": np.array([b"tulip", b"daisy", b"oak"], object)})])


def signatures():
    """Several signatures, none of them serving_default, on one weight."""
    m = tf.Module()
    m.scale = tf.Variable(3.0, name="scale")
    m.times = tf.function(lambda x: {"product": m.scale * x}, input_signature=[spec([None], F32, "x")])
    m.plus = tf.function(lambda x: {"sum": m.scale + x}, input_signature=[spec([None], F32, "x")])
    m.between = tf.function(lambda low, high: {"difference": (high - low) * m.scale}, input_signature=[spec((), F32, "low"), spec((), F32, "high")])
    calls = [("times", {"x": f32(1, 2)}), ("plus", {"x": f32(1, 2)}), ("between", {"low": np.float32(1), "high": np.float32(3)})]
    save("signatures", m, {"times": m.times, "plus": m.plus, "between": m.between}, calls)


def outputs():
    """Several outputs of several types and ranks, returned as a dictionary whose order is not the alphabetical one."""
    m = tf.Module()

    @tf.function(input_signature=[spec([None, 3], F32, "x")])
    def call(x):
        return {"total": tf.reduce_sum(x), "best": tf.argmax(x, 1), "scores": tf.nn.softmax(x), "above": x > 0, "name": tf.as_string(x[:, 0], precision=1)}

    m.call = call
    save("outputs", m, {"serving_default": call}, [("serving_default", {"x": f32([1, 2, 3], [-1, 4, 0])}), ("serving_default", {"x": np.zeros((0, 3), np.float32)})])


def unknown_rank():
    m = tf.Module()
    m.double = tf.function(lambda x: {"y": 2.0 * x}, input_signature=[spec(None, F32, "x")])
    save("unknown_rank", m, {"serving_default": m.double}, [("serving_default", {"x": v}) for v in (np.float32(3), f32(1, 2), f32([[1], [2]]))])


def training():
    """A linear model that learns through its signatures: y = 2 x0 - x1."""
    class Linear(tf.Module):
        def __init__(self):
            self.w = tf.Variable([[0.0], [0.0]], name="w")
            self.b = tf.Variable([0.0], name="b")

        @tf.function(input_signature=[spec([None, 2], F32, "x"), spec([None, 1], F32, "y")])
        def train(self, x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((x @ self.w + self.b - y) ** 2)
            dw, db = tape.gradient(loss, [self.w, self.b])
            self.w.assign_sub(0.1 * dw)
            self.b.assign_sub(0.1 * db)
            return {"loss": loss}

        @tf.function(input_signature=[spec([None, 2], F32, "x")])
        def predict(self, x):
            return {"y": x @ self.w + self.b}

    m = Linear()
    x, y = f32([1, 0], [0, 1], [1, 1], [2, -1]), f32([2], [-1], [1], [5])
    save("training", m, {"train": m.train, "serving_default": m.predict}, [("serving_default", {"x": x})] + [("train", {"x": x, "y": y})] * 5 + [("serving_default", {"x": x})])


def modules():
    """Modules that hold layers of Keras 3, in lists, two of one name: the saver restores other handles than the functions take. Only
    the object graph tells whose variables the functions mean, because two of them share one shared name."""
    class Block(tf.Module):
        def __init__(self, value):
            super().__init__()
            self.layer = keras.layers.Dense(2, name="dense")
            self.layer.build((None, 2))
            self.layer.set_weights([np.full((2, 2), value, np.float32), f32(value, -value)])
            self.scale = tf.Variable(value, name="scale")

        def __call__(self, x):
            return self.layer(x) * self.scale

    m = tf.Module()
    m.blocks = [Block(1.5), {"inner": Block(-0.5)}]

    @tf.function(input_signature=[spec([None, 2], F32, "x")])
    def call(x):
        return {"y": m.blocks[1]["inner"](m.blocks[0](x))}

    @tf.function(input_signature=[spec([2], F32, "by")])
    def shift(by):
        m.blocks[0].layer.bias.assign(m.blocks[0].layer.bias + by)
        return {"bias": m.blocks[0].layer.bias + 0.0}

    m.call, m.shift = call, shift
    tf.saved_model.save(m, str(OUT / "modules/saved_model"), signatures={"serving_default": call, "shift": shift})
    saved = read_proto(OUT / "modules/saved_model")
    kernels = [n for n in saved.meta_graphs[0].graph_def.node if n.op == "VarHandleOp" and n.name.startswith("dense/kernel")]
    assert len(kernels) == 2, kernels
    for n in kernels:
        n.attr["shared_name"].s = b"dense/kernel"
    (OUT / "modules/saved_model/saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))
    x = {"x": f32([1, 0], [0.5, -2])}
    record("modules", [("serving_default", x), ("shift", {"by": f32(1, 2)}), ("serving_default", x)])


def control_flow():
    """A loop, a branch and a function within a function."""
    m = tf.Module()
    m.w = tf.Variable([[1.0, 0.5], [-0.5, 1.0]], name="w")
    step = tf.function(lambda x: tf.nn.tanh(x @ m.w))

    @tf.function(input_signature=[spec([None, 2], F32, "x"), spec((), tf.int32, "steps")])
    def call(x, steps):
        for _ in tf.range(steps):
            x = step(x)
        if tf.reduce_sum(x) > 0:
            x = step(x) + 1.0
        else:
            x = -x
        return {"y": x}

    m.call = call
    save("control_flow", m, {"serving_default": call}, [("serving_default", {"x": f32([1, 2]), "steps": np.int32(n)}) for n in (0, 3)] + [("serving_default", {"x": f32([-1, -2]), "steps": np.int32(2)})])


def convolutions():
    """MobileNet in miniature: batch normalization with real statistics, padding of its own, depthwise convolutions, a residual."""
    keras.utils.set_random_seed(7)
    layers = keras.layers

    def normalized(x, activation=True):
        x = layers.BatchNormalization()(x)
        return layers.ReLU(6.0)(x) if activation else x

    inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(inputs)
    x = normalized(layers.Conv2D(8, 3, 2, "same", use_bias=False)(x))
    x = normalized(layers.DepthwiseConv2D(3, 1, "same", use_bias=False)(x))
    x = skip = normalized(layers.Conv2D(8, 1, use_bias=False)(x), False)
    x = normalized(layers.Conv2D(16, 1, use_bias=False)(x))
    x = normalized(layers.DepthwiseConv2D(3, 1, "same", use_bias=False)(x))
    x = layers.Add()([normalized(layers.Conv2D(8, 1, use_bias=False)(x), False), skip])
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = normalized(layers.DepthwiseConv2D(3, 2, "valid", use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(5, "softmax", name="probabilities")(x), name="convolutions")
    rng = np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.5, 2, n), rng.normal(0, 0.5, n), rng.normal(0, 0.5, n), rng.uniform(0.2, 2, n)])
    model.export(OUT / "convolutions/saved_model", verbose=False)
    image = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    record("convolutions", [("serving_default", {"image": image})])


def reaches_files():
    """The signature "log" writes a file, "serving_default" does not, and a function that reads one is in no signature."""
    m = tf.Module()
    m.double = tf.function(lambda x: {"y": 2.0 * x}, input_signature=[spec([None], F32, "x")])

    @tf.function(input_signature=[spec([None], F32, "x")])
    def log(x):
        tf.io.write_file("predictions.log", tf.io.serialize_tensor(x))
        return {"y": 2.0 * x}

    m.log = log
    m.read = tf.function(lambda path: tf.io.read_file(path), input_signature=[spec((), STR, "path")])
    save("reaches_files", m, {"serving_default": m.double, "log": log}, [("serving_default", {"x": f32(1, 2)})])


# The models: TF 1.

def signature(inputs, outputs, method="tensorflow/serving/predict"):
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def({k: info(v) for k, v in inputs.items()}, {k: info(v) for k, v in outputs.items()}, method)


def tf1_table():
    """An asset, a table filled by legacy_init_op, and two signatures on the same tensors."""
    pathlib.Path("classes.txt").write_text("zero\none\ntwo\n")
    with tf.Graph().as_default(), v1.Session() as session:
        file = tf.constant("classes.txt", name="classes_file")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, file)
        lookup = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(file, I64, tf.lookup.TextFileIndex.LINE_NUMBER, STR, tf.lookup.TextFileIndex.WHOLE_LINE), "unknown")
        bias = v1.get_variable("bias", initializer=np.int64(1), use_resource=False)
        x = v1.placeholder(I64, [None], name="x")
        name = tf.identity(lookup.lookup(x + bias), name="name")
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        both = {"serving_default": signature({"x": x}, {"name": name}), "alias": signature({"index": x}, {"class": name}, "tensorflow/serving/classify")}
        builder = v1.saved_model.Builder(str(OUT / "tf1_table/saved_model"))
        builder.add_meta_graph_and_variables(session, ["serve"], both, assets_collection=[file], legacy_init_op=v1.tables_initializer(name="fill"))
        builder.save()
    record("tf1_table", [("serving_default", {"x": np.array([0, 1, 5])}), ("alias", {"index": np.array([-1])})], run_session)


def tf1_optional():
    """Inputs that have defaults, one that takes part in another's, and outputs that are inputs."""
    with tf.Graph().as_default(), v1.Session() as sess:
        x = v1.placeholder(F32, [None, 2], "x")
        keep = v1.placeholder_with_default(np.float32(0.5), [], "keep")
        shift = v1.placeholder_with_default(keep * 4.0, [], "shift")
        middle = tf.identity(x * keep, "middle")
        y = middle + shift
        data = v1.placeholder(F32, [], "data")
        decoded = v1.placeholder_with_default(data + 1.0, [], "decoded")
        builder = v1.saved_model.Builder(str(OUT / "tf1_optional/saved_model"))
        builder.add_meta_graph_and_variables(sess, ["serve"], {
            "serving_default": signature({"x": x, "keep": keep, "shift": shift}, {"y": y, "kept": keep}),
            "middle": signature({"middle": middle, "shift": shift}, {"y": y, "middle": middle}),
            "needed": signature({"decoded": decoded}, {"y": decoded * 2.0}),
        })
        builder.save()
    x = f32([1, 2], [3, 4])
    record("tf1_optional", [
        ("serving_default", {"x": x}), ("serving_default", {"x": x, "keep": np.float32(1)}), ("serving_default", {"x": x, "shift": np.float32(1)}),
        ("serving_default", {"x": x, "keep": np.float32(2), "shift": np.float32(1)}), ("middle", {"middle": x}), ("needed", {"decoded": np.float32(3)}),
    ], run_session)


def tf1_sharded():
    """The variables in two shards, one of them a variable in two slices, and a second meta graph with other tags."""
    directory = OUT / "tf1_sharded"
    rng = np.random.default_rng(3)
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as session:
        x = v1.placeholder(F32, [None, 6], name="x")
        with tf.device("/cpu:0"):
            w = v1.get_variable("w", shape=(6, 4), initializer=v1.random_normal_initializer(seed=3), partitioner=v1.fixed_size_partitioner(2), use_resource=False)
        with tf.device("/cpu:1"):
            b = v1.get_variable("b", initializer=rng.standard_normal(4).astype(np.float32), use_resource=True)
        y = tf.identity(x @ tf.convert_to_tensor(w) + b, name="y")
        double = tf.identity(2.0 * y, name="double")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(directory / "saved_model"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature({"x": x}, {"y": y})}, clear_devices=True)
        builder.add_meta_graph(["serve", "double"], {"serving_default": signature({"x": x}, {"y": double})}, clear_devices=True)
        builder.save()
    record("tf1_sharded", [("serving_default", {"x": rng.standard_normal((2, 6)).astype(np.float32)})], run_session)


def text():
    """The SavedModel "signatures" as saved_model.pbtxt."""
    directory = OUT / "text/saved_model"
    shutil.copytree(OUT / "signatures/saved_model", directory)
    (directory / "saved_model.pbtxt").write_text(text_format.MessageToString(read_proto(directory)))
    for name in ("saved_model.pb", "fingerprint.pb"):
        (directory / name).unlink()
    record("text", [("times", {"x": f32(1, 2)}), ("plus", {"x": f32(1, 2)})])


shutil.rmtree(OUT, ignore_errors=True)
v1.logging.set_verbosity(v1.logging.ERROR)
os.chdir(tempfile.mkdtemp())  # for assets, whose paths end up in the graph
for model in (counter, strings, dtypes, table, signatures, outputs, unknown_rank, training, modules, control_flow, convolutions, reaches_files, tf1_table, tf1_optional, tf1_sharded, text):
    print(model.__name__)
    model()
