"""Small Keras models, several for each layer class, that Go must run as Keras does.

build maps a name to a function that returns (model, inputs); parity_keras.py saves all of them at test time, record_keras.py a
few of them for the tests that run without Python. K is the Keras to use: keras (3) or tf_keras (2). keras_models.py adds models
in which layers meet: nested, shared, masked, stateful, quantized, with functions of TensorFlow or keras.ops between the layers.
"""
import json
import os

import numpy as np

import keras_models
from keras_inputs import fill, inputs


def build(K):
    """Returns {name: () → (model, [inputs])} for a Keras."""
    L, v3 = K.layers, K.__version__.startswith("3")
    cases = {}

    def add(name, make, *shapes, kinds=None, batch=3):
        def case():
            K.utils.set_random_seed(len(name))
            kind = kinds or ["normal"] * len(shapes)
            dtype = lambda k: "int32" if k.startswith("int:") else "float32"
            ins = [K.Input(s, dtype=dtype(k)) for s, k in zip(shapes, kind)]
            out = make(*ins)
            model = fill(K.Model(ins[0] if len(ins) == 1 else ins, out), len(name))
            rng = np.random.default_rng(7)
            return model, [inputs(rng, batch, s, k) for s, k in zip(shapes, kind)]
        assert name not in cases, name
        cases[name] = case

    def seq(name, layers, shape, kind="normal"):
        def case():
            K.utils.set_random_seed(len(name))
            model = fill(K.Sequential([K.Input(shape, dtype="int32" if kind.startswith("int:") else "float32")] + layers()), len(name))
            return model, [inputs(np.random.default_rng(7), 3, shape, kind)]
        assert name not in cases, name
        cases[name] = case

    def each(name, shape, variants, kind="normal"):
        for suffix, layer in variants.items():
            add(f"{name}-{suffix}" if suffix else name, lambda x, layer=layer: layer()(x), shape, kinds=[kind])

    # Dense and embedding
    each("dense", (5,), {"relu": lambda: L.Dense(4, "relu"), "nobias": lambda: L.Dense(3, use_bias=False), "softmax": lambda: L.Dense(6, "softmax")})
    each("dense-3d", (4, 5), {"tanh": lambda: L.Dense(3, "tanh")})
    each("dense-unknown", (None, 5), {"": lambda: L.Dense(3)})
    each("einsum", (4, 6), {"last": lambda: L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
                            "heads": lambda: L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de", activation="relu"),
                            "ellipsis": lambda: L.EinsumDense("...x,xy->...y", output_shape=5, bias_axes="y"),
                            "mid": lambda: L.EinsumDense("abc,bd->adc", output_shape=(3, 6), bias_axes="d")})
    each("embedding", (6,), {"": lambda: L.Embedding(10, 4)}, "int:10")
    seq("sequential-mlp", lambda: [L.Dense(8, "relu"), L.Dropout(0.5), L.BatchNormalization(), L.Dense(3, "softmax")], (6,))

    # Activations
    names = ["relu", "elu", "selu", "tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign", "exponential", "linear", "gelu", "swish", "softmax"]
    if v3:
        names += ["relu6", "leaky_relu", "log_softmax", "silu", "hard_silu", "mish", "log_sigmoid", "hard_tanh", "tanh_shrink", "celu", "glu", "squareplus",
                  "soft_shrink", "hard_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"]
    each("activation", (3, 6), {n: lambda n=n: L.Activation(n) for n in names})
    each("relu", (4, 3), {"": lambda: L.ReLU(), "max": lambda: L.ReLU(max_value=1.0), "six": lambda: L.ReLU(6.0), "slope": lambda: L.ReLU(negative_slope=0.1),
                          "threshold": lambda: L.ReLU(threshold=0.3), "all": lambda: L.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.1)})
    each("leaky", (4,), {"": lambda: L.LeakyReLU(), "2": lambda: L.LeakyReLU(0.05)})
    each("elu", (4,), {"": lambda: L.ELU(), "alpha": lambda: L.ELU(0.5)})
    each("prelu", (4, 5, 3), {"": lambda: L.PReLU(), "shared": lambda: L.PReLU(shared_axes=[1, 2])})
    each("softmax", (4, 3), {"": lambda: L.Softmax(), "axis": lambda: L.Softmax(axis=1), "axes": lambda: L.Softmax(axis=(1, 2))})
    if not v3:
        each("thresholded", (4,), {"": lambda: L.ThresholdedReLU(0.5)})

    # Convolution
    for fmt in ["channels_last", "channels_first"]:
        f = fmt[-4:] if fmt.endswith("last") else "first"
        # Keras 3.15 adds the bias along the wrong axis where the width of a channels_first result equals its channels: avoided here
        one, two, three = ((12, 4), (9, 8, 4), (6, 5, 7, 2)) if f == "last" else ((4, 12), (4, 10, 9), (2, 6, 5, 7))
        D = dict(data_format=fmt)
        if v3 or f == "last":
            each(f"conv1d-{f}", one, {"": lambda D=D: L.Conv1D(3, 3, **D), "same": lambda D=D: L.Conv1D(3, 3, strides=2, padding="same", activation="relu", **D),
                                      "dilated": lambda D=D: L.Conv1D(3, 3, dilation_rate=2, **D), "groups": lambda D=D: L.Conv1D(4, 3, groups=2, **D)})
            each(f"conv2d-{f}", two, {"": lambda D=D: L.Conv2D(5, 3, **D), "same": lambda D=D: L.Conv2D(5, (3, 2), strides=(2, 1), padding="same", activation="relu", **D),
                                      "stride": lambda D=D: L.Conv2D(5, 3, strides=3, use_bias=False, **D), "dilated": lambda D=D: L.Conv2D(4, 3, dilation_rate=(2, 1), padding="same", **D),
                                      "groups": lambda D=D: L.Conv2D(6, 3, groups=2, activation="softmax", **D)})
            each(f"conv3d-{f}", three, {"": lambda D=D: L.Conv3D(3, 2, **D), "same": lambda D=D: L.Conv3D(3, (2, 3, 3), strides=2, padding="same", **D),
                                        "dilated": lambda D=D: L.Conv3D(3, 2, dilation_rate=(1, 2, 2), **D), "dilated-same": lambda D=D: L.Conv3D(3, 2, dilation_rate=2, padding="same", **D),
                                        "groups": lambda D=D: L.Conv3D(4, 2, groups=2, **D)})
            each(f"depthwise2d-{f}", two, {"": lambda D=D: L.DepthwiseConv2D(3, **D), "same": lambda D=D: L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, **D),
                                           "dilated": lambda D=D: L.DepthwiseConv2D(3, dilation_rate=2, **D), "dilated-same": lambda D=D: L.DepthwiseConv2D(3, dilation_rate=2, padding="same", **D)})
            each(f"separable2d-{f}", two, {"": lambda D=D: L.SeparableConv2D(6, 3, **D), "same": lambda D=D: L.SeparableConv2D(6, 3, strides=2, padding="same", depth_multiplier=2, activation="relu", **D),
                                           "dilated": lambda D=D: L.SeparableConv2D(6, 3, dilation_rate=2, **D)})
            each(f"depthwise1d-{f}", one, {"": lambda D=D: L.DepthwiseConv1D(3, **D), "same": lambda D=D: L.DepthwiseConv1D(3, strides=2, padding="same", depth_multiplier=2, **D)})
            each(f"separable1d-{f}", one, {"": lambda D=D: L.SeparableConv1D(5, 3, **D), "same": lambda D=D: L.SeparableConv1D(5, 3, strides=2, padding="same", **D)})
        if v3 and f == "last" or f == "last":
            each(f"transpose1d-{f}", one, {"": lambda D=D: L.Conv1DTranspose(3, 3, **D), "same": lambda D=D: L.Conv1DTranspose(3, 3, strides=2, padding="same", **D)})
            each(f"transpose2d-{f}", two, {"": lambda D=D: L.Conv2DTranspose(3, 3, **D), "same": lambda D=D: L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu", **D),
                                           "wide": lambda D=D: L.Conv2DTranspose(3, 2, strides=3, **D), "output": lambda D=D: L.Conv2DTranspose(3, 3, strides=2, output_padding=1, padding="same", **D)})
            each(f"transpose3d-{f}", three, {"": lambda D=D: L.Conv3DTranspose(3, 2, strides=2, **D), "same": lambda D=D: L.Conv3DTranspose(2, 3, strides=2, padding="same", **D)})
    each("conv1d-causal", (10, 3), {"": lambda: L.Conv1D(4, 3, padding="causal"), "dilated": lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2)})
    each("conv2d-unknown", (None, None, 3), {"": lambda: L.Conv2D(4, 3, strides=2, padding="same", activation="relu")})
    each("transpose2d-unknown", (None, None, 3), {"": lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same")})

    # Pooling
    for fmt in ["channels_last"] + (["channels_first"] if v3 else []):
        f = "last" if fmt.endswith("last") else "first"
        shapes = [(9, 4), (9, 8, 4), (6, 5, 7, 2)] if f == "last" else [(4, 9), (4, 9, 8), (2, 6, 5, 7)]
        for n, shape in zip(["1D", "2D", "3D"], shapes):
            for kind in ["Max", "Average"]:
                pool, glob = getattr(L, f"{kind}Pooling{n}"), getattr(L, f"Global{kind}Pooling{n}")
                each(f"{kind.lower()}pool{n.lower()}-{f}", shape, {"": lambda pool=pool, fmt=fmt: pool(2, data_format=fmt),
                     "same": lambda pool=pool, fmt=fmt: pool(3, strides=2, padding="same", data_format=fmt), "stride1": lambda pool=pool, fmt=fmt: pool(2, strides=1, data_format=fmt)})
                each(f"global{kind.lower()}{n.lower()}-{f}", shape, {"": lambda glob=glob, fmt=fmt: glob(data_format=fmt), "keep": lambda glob=glob, fmt=fmt: glob(data_format=fmt, keepdims=True)})
                if v3 and hasattr(L, f"Adaptive{kind}Pooling{n}"):
                    adaptive = getattr(L, f"Adaptive{kind}Pooling{n}")
                    each(f"adaptive{kind.lower()}{n.lower()}-{f}", shape, {"": lambda adaptive=adaptive, fmt=fmt: adaptive(3, data_format=fmt)})

    # Normalization
    each("batchnorm", (6, 5, 3), {"": lambda: L.BatchNormalization(), "axis1": lambda: L.BatchNormalization(axis=1), "noscale": lambda: L.BatchNormalization(scale=False),
                                  "nocenter": lambda: L.BatchNormalization(center=False, epsilon=0.01), "neither": lambda: L.BatchNormalization(scale=False, center=False)})
    each("batchnorm-2d", (7,), {"": lambda: L.BatchNormalization(), "frozen": lambda: L.BatchNormalization(trainable=False), "nocenter": lambda: L.BatchNormalization(center=False)})
    each("layernorm", (4, 6), {"": lambda: L.LayerNormalization(), "axes": lambda: L.LayerNormalization(axis=[1, 2]), "axis1": lambda: L.LayerNormalization(axis=1, epsilon=0.1),
                               "noscale": lambda: L.LayerNormalization(scale=False, center=False)})
    each("groupnorm", (5, 4, 6), {"": lambda: L.GroupNormalization(3), "instance": lambda: L.GroupNormalization(-1), "axis1": lambda: L.GroupNormalization(5, axis=1), "plain": lambda: L.GroupNormalization(2, scale=False, center=False)})
    each("unitnorm", (4, 6), {"": lambda: L.UnitNormalization(), "axes": lambda: L.UnitNormalization(axis=[1, 2])})
    if v3:
        each("rmsnorm", (4, 6), {"": lambda: L.RMSNormalization()})
        each("layernorm-rms", (4, 6), {"": lambda: L.LayerNormalization(rms_scaling=True)})
        each("spectral", (6,), {"": lambda: L.SpectralNormalization(L.Dense(4))})
    each("normalization", (4, 3), {"given": lambda: L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]), "weights": lambda: L.Normalization(),
                                   "scalar": lambda: L.Normalization(axis=None, mean=1.5, variance=2.0), "invert": lambda: L.Normalization(mean=2.0, variance=3.0, invert=True)})

    # Reshaping
    each("reshape", (4, 6), {"": lambda: L.Reshape((3, 8)), "free": lambda: L.Reshape((-1, 4, 2))})
    each("reshape-unknown", (None, 6), {"": lambda: L.Reshape((-1, 3))})
    each("flatten", (4, 3, 2), {"": lambda: L.Flatten(), "first": lambda: L.Flatten(data_format="channels_first")})
    each("flatten-unknown", (None, 6), {"": lambda: L.Flatten()})
    each("permute", (4, 3, 2), {"": lambda: L.Permute((3, 1, 2))})
    each("repeatvector", (5,), {"": lambda: L.RepeatVector(3)})
    each("zeropad1d", (5, 3), {"": lambda: L.ZeroPadding1D(2), "pair": lambda: L.ZeroPadding1D((1, 2))})
    each("zeropad2d", (5, 4, 3), {"": lambda: L.ZeroPadding2D(2), "pair": lambda: L.ZeroPadding2D((1, 2)), "pairs": lambda: L.ZeroPadding2D(((0, 1), (2, 0))), "first": lambda: L.ZeroPadding2D(1, data_format="channels_first")})
    each("zeropad3d", (3, 4, 3, 2), {"": lambda: L.ZeroPadding3D(1), "pairs": lambda: L.ZeroPadding3D(((0, 1), (2, 0), (1, 1)))})
    each("crop1d", (7, 3), {"": lambda: L.Cropping1D(2), "pair": lambda: L.Cropping1D((1, 2))})
    each("crop2d", (7, 6, 3), {"": lambda: L.Cropping2D(2), "pairs": lambda: L.Cropping2D(((0, 1), (2, 0))), "first": lambda: L.Cropping2D(((1, 1), (0, 1)), data_format="channels_first")})
    each("crop3d", (4, 5, 4, 2), {"": lambda: L.Cropping3D(1)})
    each("up1d", (5, 3), {"": lambda: L.UpSampling1D(3)})
    each("up2d", (4, 5, 3), {"": lambda: L.UpSampling2D(2), "bilinear": lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), "first": lambda: L.UpSampling2D(2, data_format="channels_first"),
                             "bicubic": lambda: L.UpSampling2D(2, interpolation="bicubic")})
    each("up2d-unknown", (None, None, 3), {"": lambda: L.UpSampling2D(2), "bilinear": lambda: L.UpSampling2D(2, interpolation="bilinear")})
    each("up3d", (3, 2, 4, 2), {"": lambda: L.UpSampling3D((1, 2, 3))})

    # Merging
    for name in ["Add", "Multiply", "Average", "Maximum", "Minimum"]:
        add(f"merge-{name.lower()}", lambda a, b, c, name=name: getattr(L, name)()([a, b, c]), (4, 3), (4, 3), (4, 3))
    add("merge-subtract", lambda a, b: L.Subtract()([a, b]), (4, 3), (4, 3))
    add("merge-broadcast", lambda a, b: L.Add()([a, b]), (4, 3), (1, 3))
    add("merge-ranks", lambda a, b: L.Multiply()([a, b]), (4, 5, 3), (3,)) if v3 else None
    add("merge-concat", lambda a, b: L.Concatenate()([a, b]), (4, 3), (4, 2))
    add("merge-concat1", lambda a, b: L.Concatenate(axis=1)([a, b]), (4, 3), (2, 3))
    add("merge-dot", lambda a, b: L.Dot(axes=1)([a, b]), (5,), (5,))
    add("merge-dot-cosine", lambda a, b: L.Dot(axes=1, normalize=True)([a, b]), (5,), (5,))
    add("merge-dot-axes", lambda a, b: L.Dot(axes=(1, 2))([a, b]), (5, 3), (4, 5))

    # Recurrent
    for name in ["SimpleRNN", "LSTM", "GRU"]:
        R = getattr(L, name)
        each(name.lower(), (5, 4), {"": lambda R=R: R(3), "sequences": lambda R=R: R(3, return_sequences=True), "backwards": lambda R=R: R(3, go_backwards=True, return_sequences=True),
                                    "nobias": lambda R=R: R(3, use_bias=False), "relu": lambda R=R: R(3, activation="relu"), "unroll": lambda R=R: R(3, unroll=True)})
        each(f"{name.lower()}-unknown", (None, 4), {"": lambda R=R: R(3), "sequences": lambda R=R: R(3, return_sequences=True), "backwards": lambda R=R: R(3, go_backwards=True, return_sequences=True)})
        each(f"{name.lower()}-long", (120, 4), {"": lambda R=R: R(3), "sequences": lambda R=R: R(3, return_sequences=True)})
        add(f"{name.lower()}-masked", lambda x, R=R: R(3)(L.Masking()(x)), (6, 4), kinds=["masked"])
        add(f"{name.lower()}-masked-sequences", lambda x, R=R: R(2)(R(3, return_sequences=True)(L.Masking()(x))), (6, 4), kinds=["masked"])
        add(f"{name.lower()}-masked-unknown", lambda x, R=R: R(2)(R(3, return_sequences=True)(L.Masking()(x))), (None, 4), kinds=["masked"])
        add(f"{name.lower()}-state", lambda x, R=R: R(3, return_state=True)(x), (5, 4))
        add(f"{name.lower()}-initial", lambda x, y, R=R, name=name: R(3)(x, initial_state=[y, y] if name == "LSTM" else [y]), (5, 4), (3,))
        each(f"bidirectional-{name.lower()}", (5, 4), {"": lambda R=R: L.Bidirectional(R(3)), "sequences": lambda R=R: L.Bidirectional(R(3, return_sequences=True)),
             "sum": lambda R=R: L.Bidirectional(R(3), merge_mode="sum"), "ave": lambda R=R: L.Bidirectional(R(3, return_sequences=True), merge_mode="ave"), "mul": lambda R=R: L.Bidirectional(R(3), merge_mode="mul")})
        add(f"bidirectional-{name.lower()}-masked", lambda x, R=R: L.Bidirectional(R(3, return_sequences=True))(L.Masking()(x)), (6, 4), kinds=["masked"])
        add(f"encoder-decoder-{name.lower()}", lambda x, y, R=R: R(3, return_sequences=True)(y, initial_state=R(3, return_state=True)(x)[1:]), (5, 4), (4, 2))
    each("gru-before", (5, 4), {"": lambda: L.GRU(3, reset_after=False), "sequences": lambda: L.GRU(3, reset_after=False, return_sequences=True)})
    each("lstm-hard", (5, 4), {"": lambda: L.LSTM(3, recurrent_activation="hard_sigmoid")})
    each("rnn-cells", (5, 4), {"stacked": lambda: L.RNN([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)]), "lstm": lambda: L.RNN(L.LSTMCell(3), return_sequences=True)})
    add("embedding-mask-lstm", lambda x: L.LSTM(3)(L.Embedding(10, 4, mask_zero=True)(x)), (6,), kinds=["int:3"])
    add("embedding-mask-bi", lambda x: L.Bidirectional(L.GRU(3))(L.Embedding(10, 4, mask_zero=True)(x)), (6,), kinds=["int:3"])
    add("embedding-mask-pool", lambda x: L.GlobalAveragePooling1D()(L.Embedding(10, 4, mask_zero=True)(x)), (6,), kinds=["int:3"])
    add("embedding-mask-dense", lambda x: L.LSTM(3)(L.Dense(5)(L.Dropout(0.1)(L.Embedding(10, 4, mask_zero=True)(x)))), (6,), kinds=["int:3"])
    each("timedistributed", (4, 5), {"": lambda: L.TimeDistributed(L.Dense(3))})
    each("timedistributed-conv", (3, 6, 5, 2), {"": lambda: L.TimeDistributed(L.Conv2D(3, 2)), "flatten": lambda: L.TimeDistributed(L.Flatten())})
    each("timedistributed-unknown", (None, 5), {"": lambda: L.TimeDistributed(L.Dense(3))})
    each("convlstm", (4, 6, 5, 2), {"": lambda: L.ConvLSTM2D(3, 2), "same": lambda: L.ConvLSTM2D(3, 3, padding="same", return_sequences=True, strides=1)})
    each("convlstm1d", (4, 6, 2), {"": lambda: L.ConvLSTM1D(3, 2)})

    # Attention
    for scale in [False, True]:
        add(f"attention{'-scale' if scale else ''}", lambda q, v, scale=scale: L.Attention(use_scale=scale)([q, v]), (4, 6), (5, 6))
    add("attention-key", lambda q, v, k: L.Attention()([q, v, k]), (4, 6), (5, 3), (5, 6))
    add("attention-concat", lambda q, v: L.Attention(score_mode="concat", use_scale=True)([q, v]), (4, 6), (5, 6))
    add("attention-causal", lambda q, v: L.Attention()([q, v], use_causal_mask=True), (5, 6), (5, 6)) if v3 else None
    add("attention-additive", lambda q, v: L.AdditiveAttention()([q, v]), (4, 6), (5, 6))
    add("mha-self", lambda x: L.MultiHeadAttention(2, 4)(x, x), (5, 6))
    add("mha-cross", lambda x, y: L.MultiHeadAttention(2, 4, value_dim=3, output_shape=5)(x, y), (5, 6), (4, 7))
    add("mha-nobias", lambda x: L.MultiHeadAttention(3, 2, use_bias=False)(x, x), (5, 6))
    add("mha-causal", lambda x: L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True), (5, 6))
    add("mha-axes", lambda x: L.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x, x), (3, 4, 5))
    add("mha-axis2", lambda x: L.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x), (3, 4, 5))
    add("mha-unknown", lambda x: L.MultiHeadAttention(2, 4)(x, x), (None, 6))
    add("mha-scores", lambda x: L.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True), (5, 6))
    add("mha-masked", lambda x: L.MultiHeadAttention(2, 4)(*[L.Embedding(10, 6, mask_zero=True)(x)] * 2), (6,), kinds=["int:3"])
    if v3:
        add("gqa", lambda x: L.GroupQueryAttention(4, 4, 2)(x, x), (5, 6))
        add("gqa-causal", lambda x: L.GroupQueryAttention(3, 4, 1)(x, x, use_causal_mask=True), (5, 6))

        def transformer(x):
            a = L.MultiHeadAttention(2, 4)(x, x)
            x = L.LayerNormalization(epsilon=1e-6)(x + a)
            return L.LayerNormalization()(x + L.Dense(6)(L.Dense(12, "gelu")(x)))
        add("transformer", transformer, (5, 6))

    # Images and preprocessing
    each("rescaling", (4, 4, 3), {"": lambda: L.Rescaling(1 / 255.0), "offset": lambda: L.Rescaling(1 / 127.5, offset=-1), "list": lambda: L.Rescaling([0.5, 1.0, 2.0], offset=[0.0, 1.0, 2.0])}, "image")
    each("resizing", (8, 6, 3), {"": lambda: L.Resizing(5, 7), "nearest": lambda: L.Resizing(12, 12, interpolation="nearest"), "bicubic": lambda: L.Resizing(5, 9, interpolation="bicubic"),
                                 "crop": lambda: L.Resizing(4, 4, crop_to_aspect_ratio=True), "area": lambda: L.Resizing(4, 3, interpolation="area")} | ({"pad": lambda: L.Resizing(9, 9, pad_to_aspect_ratio=True), "lanczos": lambda: L.Resizing(5, 5, interpolation="lanczos3")} if v3 else {}), "image")
    each("centercrop", (8, 7, 3), {"": lambda: L.CenterCrop(4, 5), "larger": lambda: L.CenterCrop(10, 9)}, "image")
    each("random", (8, 6, 3), {"flip": lambda: L.RandomFlip(), "rotation": lambda: L.RandomRotation(0.1), "zoom": lambda: L.RandomZoom(0.1), "translation": lambda: L.RandomTranslation(0.1, 0.1),
                               "contrast": lambda: L.RandomContrast(0.2), "crop": lambda: L.RandomCrop(4, 5), "crop-larger": lambda: L.RandomCrop(12, 9)}, "image")
    names = ["AugMix", "AutoContrast", "CutMix", "MixUp", "RandAugment", "RandomColorJitter", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomInvert", "RandomPerspective", "RandomElasticTransform"] if v3 else []
    each("augment", (8, 6, 3), {n.lower(): getattr(L, n) for n in names}, "image")
    if v3:
        each("pipeline", (8, 6, 3), {"": lambda: L.Pipeline([L.RandomFlip(), L.Rescaling(1 / 255.0), L.Resizing(4, 4)])}, "image")
        add("reversible", lambda x: (lambda e: e(L.Dense(4)(e(x)), reverse=True))(L.ReversibleEmbedding(10, 4)), (5,), kinds=["int:10"])
        add("reversible-untied", lambda x: (lambda e: e(L.Dense(4)(e(x)), reverse=True))(L.ReversibleEmbedding(10, 4, tie_weights=False, logit_soft_cap=5.0)), (5,), kinds=["int:10"])
    else:
        each("locally1d", (7, 3), {"": lambda: L.LocallyConnected1D(4, 3), "stride": lambda: L.LocallyConnected1D(4, 3, strides=2)})
        each("locally2d", (7, 6, 3), {"": lambda: L.LocallyConnected2D(4, 3), "stride": lambda: L.LocallyConnected2D(4, (3, 2), strides=2, activation="relu"), "nobias": lambda: L.LocallyConnected2D(2, 2, use_bias=False)})
    each("category", (4,), {"multi": lambda: L.CategoryEncoding(5, output_mode="multi_hot"), "count": lambda: L.CategoryEncoding(5, output_mode="count")}, "int:5")
    each("category1", (1,), {"one": lambda: L.CategoryEncoding(5, output_mode="one_hot")}, "int:5")
    add("hashedcrossing", lambda a, b: L.HashedCrossing(7, output_mode="one_hot")([a, b]), (1,), (1,), kinds=["int:9", "int:9"])
    each("discretization", (4,), {"": lambda: L.Discretization([-0.5, 0.0, 1.0]), "one": lambda: L.Discretization([-0.5, 0.0, 1.0], output_mode="multi_hot")})
    each("integerlookup", (5,), {"": lambda: L.IntegerLookup(vocabulary=[3, 7, 5], num_oov_indices=1), "multi": lambda: L.IntegerLookup(vocabulary=[1, 2, 5], output_mode="multi_hot"), "mask": lambda: L.IntegerLookup(vocabulary=[3, 2, 5], mask_token=0), "oov": lambda: L.IntegerLookup(vocabulary=[3, 2, 5], num_oov_indices=3)}
         | ({"hash": lambda: L.IntegerLookup(vocabulary=[3], num_oov_indices=4, oov_method="farmhash"), "salt": lambda: L.IntegerLookup(vocabulary=[3], num_oov_indices=4, oov_method="farmhash", salt=[3, 4])} if v3 else {}), "int:9")
    each("noise", (5,), {"dropout": lambda: L.Dropout(0.3), "gaussian": lambda: L.GaussianNoise(0.1), "gdrop": lambda: L.GaussianDropout(0.1), "alpha": lambda: L.AlphaDropout(0.1), "activity": lambda: L.ActivityRegularization(0.1)})
    each("spatialdropout", (4, 5), {"": lambda: L.SpatialDropout1D(0.3)})

    # Whole models
    def residual(x):
        y = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(x))
        y = L.Add()([x, L.ReLU()(y)])
        return L.Dense(5, "softmax")(L.GlobalAveragePooling2D()(y))
    add("model-residual", residual, (8, 8, 4))
    shared = lambda a, b: (lambda d: L.Concatenate()([d(a), d(b), d(L.Add()([a, b]))]))(L.Dense(3, "tanh"))
    add("model-shared", shared, (5,), (5,))
    add("model-two-outputs", lambda x: [L.Dense(3, name="first")(x), L.Dense(2, "sigmoid", name="second")(x)], (5,))

    def nested(x):
        inner = K.Sequential([K.Input((5,)), L.Dense(4, "relu", name="a"), L.BatchNormalization(name="b"), L.Dense(3, name="c")], name="inner")
        i = K.Input((3,))
        functional = K.Model(i, [L.Dense(2, name="d")(i), L.Dense(2, name="e")(i)], name="functional_inner")
        p, q = functional(inner(x))
        return L.Add()([p, q, L.Dense(2)(inner(x))])
    add("model-nested", nested, (5,))

    def frozen(x):
        base = K.Sequential([K.Input((6, 6, 2)), L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="bn"), L.GlobalMaxPooling2D()], name="base")
        base.trainable = False
        return L.Dense(2)(base(x))
    add("model-frozen-base", frozen, (6, 6, 2))
    if v3:
        O = K.ops
        for n, f in {"arithmetic": lambda x, y: (x + 1.0) * y - x / (O.abs(y) + 1) ** 2, "mean": lambda x, y: O.mean(x, axis=1) + O.max(y, axis=[1]), "slice": lambda x, y: O.concatenate([x[:, :2], y[:, -1:], x[:, 1:3][:, ::-1]], axis=1),
                     "index": lambda x, y: x[:, 0] + y[..., -1, :], "matmul": lambda x, y: O.matmul(x, O.transpose(y, (0, 2, 1))), "einsum": lambda x, y: O.einsum("abc,abd->acd", x, y), "reshape": lambda x, y: O.reshape(x, (-1, 24)) + O.reshape(y, (-1, 24)),
                     "where": lambda x, y: O.where(x > y, x, 0.5), "clip": lambda x, y: O.clip(x, -0.5, 0.5) + O.relu(y), "softmax": lambda x, y: O.softmax(x, axis=1) * O.sigmoid(y), "stack": lambda x, y: O.stack([x, y], axis=2), "split": lambda x, y: O.split(x, 2, axis=-1)[1] + O.split(y, 2, axis=-1)[0],
                     "squeeze": lambda x, y: O.squeeze(O.expand_dims(x, 1), 1) + O.swapaxes(O.swapaxes(y, 1, 2), 1, 2), "var": lambda x, y: O.var(x, axis=-1) + O.std(y, axis=-1, keepdims=False), "take": lambda x, y: O.take(x, [0, 2, 2], axis=1) + O.flip(y, axis=1)[:, :3], "pad": lambda x, y: O.pad(x, [[0, 0], [1, 1], [0, 0]]) + O.repeat(y, 2, axis=1)[:, :6],
                     "norm": lambda x, y: O.normalize(x) + O.norm(y, axis=-1, keepdims=True), "lse": lambda x, y: O.logsumexp(x, axis=-1) + O.cast(O.argmax(y, axis=-1), "float32"), "resize": lambda x, y: O.image.resize(O.expand_dims(x, -1), (3, 4)), "pool": lambda x, y: O.max_pool(x, 2) + O.average_pool(y, 2), "topk": lambda x, y: O.top_k(x, 2)[0] + O.cumsum(y, axis=1)[..., :2],
                     "gelu": lambda x, y: O.gelu(x) + O.leaky_relu(y) + O.elu(x) + O.silu(y), "onehot": lambda x, y: O.one_hot(O.argmax(x, axis=-1), 6) + O.roll(y, 1, axis=1), "logic": lambda x, y: O.cast(O.logical_and(x > 0, O.logical_not(y > 0)), "float32") + O.minimum(x, y) + O.maximum(x, 0.1) + O.tile(y, [1, 1, 1])}.items():
            add(f"ops-{n}", f, (4, 6), (4, 6))
        for policy in ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"]:
            def case(policy=policy):
                K.config.set_dtype_policy(policy)
                try:
                    m = fill(K.Sequential([K.Input((6, 6, 2)), L.Conv2D(3, 3, activation="relu"), L.BatchNormalization(), L.Flatten(), L.LayerNormalization(), L.Dense(4, "softmax", dtype="float32" if "mixed" in policy else None)]), 3)
                finally:
                    K.config.set_dtype_policy("float32")
                return m, [np.random.default_rng(7).normal(0, 1, (3, 6, 6, 2)).astype(np.float32)]
            cases[f"policy-{policy}"] = case

        def int8():
            m = fill(K.Sequential([K.Input((8,)), L.Dense(6, "relu"), L.Dense(3)]), 3)
            m.quantize("int8")
            return m, [np.random.default_rng(7).normal(0, 1, (3, 8)).astype(np.float32)]
        cases["quantized-int8"] = int8

    words = np.array([["the quick brown"], ["Brown, dogs!"], ["lazy cat the the"]], dtype=object)

    def text(name, layer):
        def case():
            i = K.Input((1,), dtype="string")
            return K.Model(i, layer()(i)), [words]
        cases[name] = case
    vocabulary = ["the", "brown", "quick", "dogs"]
    text("textvec-int", lambda: L.TextVectorization(vocabulary=vocabulary))
    text("textvec-length", lambda: L.TextVectorization(vocabulary=vocabulary, output_sequence_length=5))
    text("textvec-multi", lambda: L.TextVectorization(vocabulary=vocabulary, output_mode="multi_hot"))
    text("textvec-count", lambda: L.TextVectorization(vocabulary=vocabulary, output_mode="count"))
    text("textvec-tfidf", lambda: L.TextVectorization(vocabulary=vocabulary, idf_weights=[0.5, 1.0, 2.0, 1.5], output_mode="tf_idf"))
    text("textvec-ngrams", lambda: L.TextVectorization(vocabulary=["the", "brown", "quick brown", "the quick"], ngrams=2))
    text("textvec-chars", lambda: L.TextVectorization(vocabulary=list("abcdeht"), split="character", output_sequence_length=12))


    def adapted():
        i = K.Input((1,), dtype="string")
        layer = L.TextVectorization(output_mode="tf_idf", max_tokens=9, pad_to_max_tokens=True)
        layer.adapt(words)
        return K.Model(i, layer(i)), [words]
    adapted.formats = ["keras"]  # an .h5 file has no place for what adapt found
    if v3:  # tf_keras counts a weight of a shape that it does not know
        cases["textvec-adapted"] = adapted

    def lookup(name, layer, shape=(2,)):
        def case():
            i = K.Input(shape, dtype="string")
            x = np.array([["a", "b"], ["z", "c"], ["c", ""]], dtype=object)
            return K.Model(i, layer()(i)), [x[:, :shape[0]]]
        cases[name] = case
    lookup("stringlookup", lambda: L.StringLookup(vocabulary=["a", "b", "c"]))
    lookup("stringlookup-oov0", lambda: L.StringLookup(vocabulary=["a", "b", "c", "z", ""], num_oov_indices=0, mask_token=None))
    lookup("stringlookup-multi", lambda: L.StringLookup(vocabulary=["a", "b", "c"], output_mode="multi_hot"))
    lookup("stringlookup-count", lambda: L.StringLookup(vocabulary=["a", "b", "c"], output_mode="count"))
    lookup("stringlookup-onehot", lambda: L.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot"), (1,))
    for name, case in keras_models.build(K).items():
        assert name not in cases, name
        cases[name] = case
    return cases


def flat(v):
    """The arrays of a nested structure, in order."""
    if isinstance(v, dict):
        return [a for k in sorted(v) for a in flat(v[k])]
    return [a for x in v for a in flat(x)] if isinstance(v, (list, tuple)) else [v]


def record(model, x, path):
    """Writes x0, x1 … and y0, y1 … as the model computes them."""
    import tensorflow as tf
    strings = lambda v: tf.constant(v.astype(str)) if v.dtype == object else v
    fed = [strings(v) for v in x]
    y = model(fed[0] if len(fed) == 1 else fed, training=False)
    arrays = {f"x{i}": v.astype(bytes) if v.dtype == object else v for i, v in enumerate(x)}
    for i, v in enumerate(flat(y)):
        v = np.asarray(v)
        arrays[f"y{i}"] = v.astype(bytes) if v.dtype == object else v.astype(np.float32) if v.dtype.kind == "V" or "float16" in str(v.dtype) else v
    np.savez(path, **arrays)


def summary(model):
    """The rows of model.summary(): name, number of parameters, output shape; null where Keras has several or not the right one."""
    v3 = "tf_keras" not in type(model).__module__
    wrong = lambda l: type(l).__name__ in ("TFOpLambda", "SlicingOpLambda") or v3 and type(l).__name__ == "RandomCrop" or getattr(getattr(l, "activation", None), "__name__", "") == "glu"
    texts = any(type(l).__name__ == "TextVectorization" for l in model.layers)
    rows = []
    for layer in model.layers:
        known = not texts and not wrong(layer) and hasattr(layer, "output") and not isinstance(layer.output, (list, tuple, dict))
        shape = [d for d in layer.output.shape] if known else None
        if known and not getattr(model, "_has_explicit_input_shape", True):
            shape[0] = None  # tf.keras forgets the batch that it was built on
        adapters = sum(int(np.prod(w.shape)) for w in layer.weights if "lora_" in getattr(w, "path", ""))  # Go merges them
        rows.append([layer.name, layer.count_params() - adapters if layer.built else 0, shape])
    return rows


def save(case, name, directory, formats=("keras", "h5")):
    """Saves a case as NAME.keras and NAME.h5, NAME.npz with what record writes, and NAME.json with its summary."""
    model, x = case()
    with open(os.path.join(directory, name + ".json"), "w") as f:
        json.dump(summary(model), f)
    record(model, x, os.path.join(directory, name + ".npz"))
    for f in getattr(case, "formats", formats):
        model.save(os.path.join(directory, f"{name}.{f}"))
