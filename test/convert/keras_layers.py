"""Models of one layer, or of a few that belong together.

make FOLDER     writes NAME.keras and NAME.h5 for each, with drawn weights
compare FOLDER  runs NAME.keras.atoll.tflite and NAME.h5.atoll.tflite in LiteRT beside Keras
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import json
import sys

import numpy as np

SAMPLES = 8


def models():
    import keras
    from keras import layers as L

    image, sequence, row = (8, 9, 4), (10, 6), (12,)

    def one(shape, *stack):
        return keras.Sequential([L.Input(shape), *stack])

    def two(shape, combine, other=None):
        a, b = L.Input(shape, name="a"), L.Input(other or shape, name="b")
        return keras.Model([a, b], combine([a, b]))

    def functional(shape, build):
        x = L.Input(shape)
        return keras.Model(x, build(x))

    yield "conv2d", one(image, L.Conv2D(5, 3))
    yield "conv2d_same_stride", one(image, L.Conv2D(5, 3, strides=2, padding="same", activation="relu"))
    yield "conv2d_rectangle", one(image, L.Conv2D(5, (2, 5), strides=(2, 1), padding="same"))
    yield "conv2d_dilated", one(image, L.Conv2D(5, 3, dilation_rate=2, padding="same", use_bias=False))
    yield "conv2d_groups", one(image, L.Conv2D(6, 3, groups=2))
    yield "conv2d_depthwise_groups", one(image, L.Conv2D(8, 3, groups=4))
    yield "conv2d_relu6", one(image, L.Conv2D(5, 1), L.ReLU(6.0))
    yield "conv2d_batch_norm", one(image, L.Conv2D(5, 3, use_bias=False), L.BatchNormalization(), L.ReLU())
    yield "conv1d", one(sequence, L.Conv1D(5, 3, activation="tanh"))
    yield "conv1d_causal", one(sequence, L.Conv1D(5, 3, padding="causal", dilation_rate=2))
    yield "conv1d_stride_same", one(sequence, L.Conv1D(5, 4, padding="same", strides=3))
    yield "depthwise2d", one(image, L.DepthwiseConv2D(3, padding="same"))
    yield "depthwise2d_multiplier", one(image, L.DepthwiseConv2D(3, depth_multiplier=3, strides=2))
    yield "depthwise2d_dilated", one(image, L.DepthwiseConv2D(3, dilation_rate=2))
    yield "depthwise1d", one(sequence, L.DepthwiseConv1D(3, padding="same", activation="relu"))
    yield "separable2d", one(image, L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same"))
    yield "separable1d", one(sequence, L.SeparableConv1D(5, 3, activation="relu6"))
    yield "transpose2d_same", one(image, L.Conv2DTranspose(5, 3, strides=2, padding="same"))
    yield "transpose2d_valid", one(image, L.Conv2DTranspose(5, 2, strides=3))
    yield "transpose2d_overlap", one(image, L.Conv2DTranspose(3, 4, strides=2, use_bias=False))
    yield "transpose1d", one(sequence, L.Conv1DTranspose(5, 3, strides=2, padding="same"))
    yield "dense", one(row, L.Dense(5, activation="softmax"))
    yield "dense_sequence", one(sequence, L.Dense(5, activation="sigmoid"))
    yield "dense_image", one(image, L.Dense(3, use_bias=False))
    yield "batch_norm_row", one(row, L.BatchNormalization())
    yield "batch_norm_axis", one(image, L.BatchNormalization(axis=1))
    yield "batch_norm_plain", one(image, L.BatchNormalization(scale=False, center=False))
    yield "layer_norm", one(sequence, L.LayerNormalization())
    yield "layer_norm_axes", one(image, L.LayerNormalization(axis=(1, 2, 3)))
    yield "layer_norm_plain", one(sequence, L.LayerNormalization(center=False, scale=False))
    yield "rms_norm", one(sequence, L.RMSNormalization())
    yield "group_norm", one(image, L.GroupNormalization(groups=2))
    yield "unit_norm", one(row, L.UnitNormalization())
    yield "rescaling", one(image, L.Rescaling(1 / 127.5, offset=-1))
    yield "normalization", one(row, L.Normalization(mean=np.arange(12) / 6, variance=np.arange(1, 13)))
    yield "max_pool2d", one(image, L.MaxPooling2D())
    yield "max_pool2d_same", one(image, L.MaxPooling2D(3, strides=2, padding="same"))
    yield "average_pool2d_same", one(image, L.AveragePooling2D(3, strides=2, padding="same"))
    yield "max_pool1d", one(sequence, L.MaxPooling1D(3, strides=1))
    yield "average_pool1d", one(sequence, L.AveragePooling1D(2))
    yield "global_average2d", one(image, L.GlobalAveragePooling2D())
    yield "global_max2d", one(image, L.GlobalMaxPooling2D(keepdims=True))
    yield "global_average1d", one(sequence, L.GlobalAveragePooling1D())
    yield "global_max1d", one(sequence, L.GlobalMaxPooling1D())
    for name in (
        "relu relu6 sigmoid tanh softmax elu selu silu gelu leaky_relu hard_sigmoid hard_silu exponential softplus "
        "softsign mish log_sigmoid log_softmax hard_tanh tanh_shrink soft_shrink squareplus celu linear"
    ).split():
        yield f"activation_{name}", one(sequence, L.Activation(name))
    yield "relu_limits", one(sequence, L.ReLU(max_value=1.5, negative_slope=0.1))
    yield "leaky_relu", one(sequence, L.LeakyReLU(0.3))
    yield "prelu", one(image, L.PReLU(shared_axes=[1, 2]))
    yield "prelu_full", one(sequence, L.PReLU())
    yield "elu_alpha", one(sequence, L.ELU(0.5))
    yield "softmax_axis", one(image, L.Softmax(axis=1))
    yield "add", two(image, L.Add())
    yield "subtract", two(image, L.Subtract())
    yield "multiply_broadcast", two(image, L.Multiply(), (1, 1, 4))
    yield "average", two(image, L.Average())
    yield "maximum", two(image, L.Maximum())
    yield "minimum", two(image, L.Minimum())
    yield "concatenate", two(image, L.Concatenate())
    yield "concatenate_axis", two(image, L.Concatenate(axis=1), (3, 9, 4))
    yield "dot_rows", two(row, L.Dot(axes=1))
    yield "dot_sequences", two(sequence, L.Dot(axes=2), (7, 6))
    yield "flatten", one(image, L.Flatten())
    yield "reshape", one(image, L.Reshape((-1, 8)))
    yield "permute", one(image, L.Permute((3, 1, 2)))
    yield "repeat_vector", one(row, L.RepeatVector(3))
    yield "zero_padding2d", one(image, L.ZeroPadding2D(((1, 0), (2, 3))))
    yield "zero_padding1d", one(sequence, L.ZeroPadding1D((1, 2)))
    yield "cropping2d", one(image, L.Cropping2D(((1, 0), (2, 3))))
    yield "cropping1d", one(sequence, L.Cropping1D(2))
    yield "up_sampling2d", one(image, L.UpSampling2D((2, 3)))
    yield "up_sampling2d_bilinear", one(image, L.UpSampling2D(2, interpolation="bilinear"))
    yield "up_sampling1d", one(sequence, L.UpSampling1D(3))
    yield "resizing", one(image, L.Resizing(5, 12))
    yield "resizing_nearest", one(image, L.Resizing(5, 12, interpolation="nearest"))
    yield "dropout", one(row, L.Dropout(0.5), L.GaussianNoise(0.1), L.Dense(3))
    yield "embedding", keras.Sequential([L.Input((7,), dtype="int32"), L.Embedding(2, 5)])
    yield "lstm", one(sequence, L.LSTM(5))
    yield "lstm_sequences", one(sequence, L.LSTM(5, return_sequences=True), L.LSTM(4))
    yield "lstm_unrolled", one(sequence, L.LSTM(5, recurrent_activation="hard_sigmoid"))
    yield "lstm_backwards", one(sequence, L.LSTM(5, go_backwards=True, return_sequences=True))
    yield "gru", one(sequence, L.GRU(5))
    yield "gru_reset_before", one(sequence, L.GRU(5, reset_after=False, return_sequences=True))
    yield "simple_rnn", one(sequence, L.SimpleRNN(5, use_bias=False))
    yield "bidirectional", one(sequence, L.Bidirectional(L.LSTM(5, return_sequences=True)))
    yield "bidirectional_sum", one(sequence, L.Bidirectional(L.GRU(5), merge_mode="sum"))
    yield "time_distributed", one((3, *image), L.TimeDistributed(L.Conv2D(5, 3)))
    yield "attention", two(sequence, L.Attention(), (7, 6))
    yield "attention_scale", two(sequence, L.Attention(use_scale=True), (7, 6))
    yield "multi_head", functional(sequence, lambda x: L.MultiHeadAttention(2, 3)(x, x))
    heads = L.MultiHeadAttention(2, 3, value_dim=5, output_shape=4)
    yield "multi_head_sizes", functional(sequence, lambda x: heads(x, x))
    yield "einsum_dense", one(sequence, L.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d"))
    yield "einsum_dense_heads", one(sequence, L.EinsumDense("abc,cde->adbe", output_shape=(3, None, 4), bias_axes="de"))
    yield "ops", functional(
        sequence, lambda x: keras.ops.concatenate([keras.ops.mean(x, axis=1), x[:, -1] * 2.0 - 1.0], axis=-1)
    )

    def shapes(x):
        turned = keras.ops.transpose(keras.ops.expand_dims(x, 1), (0, 2, 3, 1))
        return keras.ops.squeeze(turned, 3)[:, 1:9:2]

    yield "ops_shapes", functional(sequence, shapes)
    yield "ops_arithmetic", functional(
        sequence, lambda x: keras.ops.sqrt(keras.ops.abs(x)) / keras.ops.exp(x) + keras.ops.clip(x, -0.5, 0.25) ** 2
    )
    inner = keras.Sequential([L.Input((8, 9, 4)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization()], name="block")
    yield "nested_shared", functional(image, lambda x: L.Add()([inner(x), inner(inner(x))]))
    backbone = keras.Sequential([L.Input((8, 9, 4)), L.Conv2D(3, 3), L.BatchNormalization(), L.ReLU()], name="backbone")
    backbone.trainable = False
    yield "nested_frozen", one(image, backbone, L.GlobalAveragePooling2D(), L.Dense(2))
    yield "two_outputs", functional(row, lambda x: [L.Dense(3, name="first")(x), L.Dense(4, name="second")(x)])


def draw(model, random):
    for weight in model.weights:
        kind, shape = weight.path.split("/")[-1], weight.shape
        if kind in ("moving_variance", "variance", "gamma"):
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif kind == "count" or weight.dtype.startswith("int") or "seed" in weight.path:
            continue
        else:
            weight.assign(random.normal(0, 0.5, shape))


def make(folder, _):
    random = np.random.default_rng(2)
    for name, model in models():
        draw(model, random)
        model.save(f"{folder}/{name}.keras")
        model.save(f"{folder}/{name}.h5")
        print(name, flush=True)


def inputs_of(model, random):
    def values(shape, dtype):
        return random.integers(0, 2, shape) if dtype.startswith("int") else random.normal(0, 1.5, shape)

    return [values((SAMPLES, *one.shape[1:]), one.dtype).astype(one.dtype) for one in model.inputs]


def run(path, names, inputs):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    results = []
    for i in range(SAMPLES):
        interpreter.reset_all_variables()
        results.append(runner(**{name: value[i : i + 1] for name, value in zip(names, inputs)}))
    return {name: np.concatenate([one[name] for one in results]) for name in results[0]}


def output_names(model):
    return getattr(model, "output_names", None) or [model.layers[-1].name]


def compare(folder, _):
    import keras

    random = np.random.default_rng(3)
    for name in sorted(file[:-6] for file in os.listdir(folder) if file.endswith(".keras")):
        model = keras.saving.load_model(f"{folder}/{name}.keras", compile=False)
        inputs = inputs_of(model, random)
        expected = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        expected = dict(zip(output_names(model), expected if isinstance(expected, (list, tuple)) else [expected]))
        for kind in ("keras", "h5"):
            path = f"{folder}/{name}.{kind}.atoll.tflite"
            if not os.path.exists(path):
                print(json.dumps({"name": name, "kind": kind, "error": "not converted"}), flush=True)
                continue
            names = [one.name for one in model.inputs]
            results = run(path, names, inputs)
            worst = 0.0
            for output, value in expected.items():
                value = np.asarray(value)
                if value.shape != results[output].shape:
                    worst = f"shape {results[output].shape} instead of {value.shape}"
                    break
                worst = max(worst, float(np.abs(results[output] - value).max() / np.abs(value).max()))
            print(json.dumps({"name": name, "kind": kind, "error": worst}), flush=True)


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](sys.argv[2], sys.argv[3:])
