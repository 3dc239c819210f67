"""Random functions through TensorFlow's converter, in every scheme: python converter.py FOLDER FIRST COUNT

Writes FOLDER/SEED.tflite for COUNT seeds from FIRST, and FOLDER/index.json: {name, description} of each that the
converter accepts.
"""

import json
import os
import pathlib
import random
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")

import numpy as np
import tensorflow as tf

tf.get_logger().setLevel("ERROR")


class Draw:
    """Chooses operators and their weights from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)

    def weights(self, *shape, spread=1.0):
        return (
            self.numbers.normal(size=shape).astype(np.float32) * spread / max(1.0, float(np.sqrt(np.prod(shape[:-1]))))
        )

    def whole(self, low, high):
        return self.random.randint(low, high)

    def pick(self, *choices):
        return self.random.choice(choices)


def activated(draw, x):
    name = draw.pick(
        None,
        None,
        "relu",
        "relu6",
        "relu_n1",
        "tanh",
        "sigmoid",
        "leaky",
        "elu",
        "gelu",
        "swish",
        "hard_swish",
        "prelu",
        "softplus_free",
    )
    one = {
        "relu": tf.nn.relu,
        "relu6": tf.nn.relu6,
        "relu_n1": lambda v: tf.clip_by_value(v, -1.0, 1.0),
        "tanh": tf.tanh,
        "sigmoid": tf.sigmoid,
        "leaky": lambda v: tf.nn.leaky_relu(v, alpha=draw.pick(0.1, 0.2, 0.3)),
        "elu": tf.nn.elu,
        "gelu": lambda v: tf.nn.gelu(v, approximate=draw.pick(True, False)),
        "swish": lambda v: v * tf.sigmoid(v),
        "hard_swish": lambda v: v * tf.nn.relu6(v + 3.0) * (1.0 / 6.0),
        "prelu": lambda v: tf.nn.relu(v) - draw.weights(v.shape[-1]) * tf.nn.relu(-v),
    }.get(name)
    return x if one is None else one(x)


def biased(draw, x):
    return activated(draw, x + draw.weights(x.shape[-1]) if draw.pick(True, False) else x)


def image_step(draw, x):
    batch, height, width, channels = x.shape
    out = draw.pick(1, 3, 4, 8, 9)
    kernel = (draw.whole(1, min(3, height)), draw.whole(1, min(3, width)))
    padding = draw.pick("SAME", "VALID")
    stride = draw.pick(1, 1, 2)
    steps = {
        "conv": lambda: biased(draw, tf.nn.conv2d(x, draw.weights(*kernel, channels, out), stride, padding)),
        "dilated": lambda: biased(draw, tf.nn.conv2d(x, draw.weights(*kernel, channels, out), 1, "SAME", dilations=2)),
        "depthwise": lambda: biased(
            draw,
            tf.nn.depthwise_conv2d(
                x, draw.weights(*kernel, channels, draw.pick(1, 1, 2)), [1, stride, stride, 1], padding
            ),
        ),
        "transpose_conv": lambda: biased(
            draw,
            tf.nn.conv2d_transpose(
                x, draw.weights(2, 2, out, channels), [batch, height * 2, width * 2, out], 2, "SAME"
            ),
        ),
        "average": lambda: tf.nn.avg_pool2d(x, kernel, stride, padding),
        "max": lambda: tf.nn.max_pool2d(x, kernel, stride, padding),
        "bilinear": lambda: tf.compat.v1.image.resize_bilinear(
            x, [draw.whole(1, 9), draw.whole(1, 9)], *draw.pick((False, False), (True, False), (False, True))
        ),
        "nearest": lambda: tf.compat.v1.image.resize_nearest_neighbor(
            x, [draw.whole(1, 9), draw.whole(1, 9)], *draw.pick((False, False), (True, False), (False, True))
        ),
        "pad": lambda: tf.pad(x, [[0, 0], [draw.whole(0, 2), 1], [1, draw.whole(0, 2)], [0, 0]]),
        "mirror": lambda: tf.pad(x, [[0, 0], [1, 1], [1, 0], [0, 0]], "REFLECT") if min(height, width) > 1 else x,
        "mean": lambda: tf.reduce_mean(x, [1, 2], keepdims=draw.pick(True, False)),
        "normalized": lambda: x * (1.0 + draw.weights(channels)) + draw.weights(channels),
        "space_to_depth": lambda: tf.nn.space_to_depth(x, 2) if height % 2 == 0 and width % 2 == 0 else x,
        "flatten": lambda: tf.reshape(x, [batch, height * width * channels]),
        "rows": lambda: tf.reshape(x, [batch, height * width, channels]),
        "transpose": lambda: tf.transpose(x, [0, *draw.random.sample([1, 2, 3], 3)]),
        "crop": lambda: x[:, : max(1, height - 1), :: draw.pick(1, 2), :],
        "gate": lambda: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)),
    }
    return steps


def rows_step(draw, x):
    batch, length, channels = x.shape
    return {
        "dense": lambda: biased(draw, tf.tensordot(x, draw.weights(channels, draw.pick(4, 7, 16)), 1)),
        "attention": lambda: tf.matmul(tf.nn.softmax(tf.matmul(x, x, transpose_b=True) * 0.3), x),
        "convolution": lambda: biased(
            draw,
            tf.nn.conv1d(
                x, draw.weights(draw.whole(1, min(3, length)), channels, draw.pick(4, 8)), 1, draw.pick("SAME", "VALID")
            ),
        ),
        "layer_norm": lambda: (x - tf.reduce_mean(x, -1, True))
        * tf.math.rsqrt(tf.math.reduce_variance(x, -1, True) + 1e-3),
        "maximum": lambda: tf.reduce_max(x, 1),
        "flatten": lambda: tf.reshape(x, [batch, length * channels]),
        "cumsum": lambda: tf.cumsum(x, 1),
        "reverse": lambda: tf.reverse(x, [1]),
        "tile": lambda: tf.tile(x, [1, 2, 1]) if length < 30 else x,
        "gather": lambda: tf.gather(x, [0, length - 1, length // 2], axis=1),
        "lstm": lambda: lstm(draw, x),
        "stack": lambda: (
            tf.reshape(tf.stack(tf.unstack(x, axis=1)[::-1], axis=1), [batch, length, channels]) if length < 9 else x
        ),
    }


def lstm(draw, x):
    units = 4
    layer = tf.keras.layers.LSTM(units, return_sequences=draw.pick(True, False))
    layer.build(x.shape)
    layer.set_weights([draw.weights(*weight.shape, spread=2.0) for weight in layer.get_weights()])
    draw.kept.append(layer)
    return layer(x)


def vector_step(draw, x):
    _, size = x.shape
    return {
        "dense": lambda: biased(draw, tf.matmul(x, draw.weights(size, draw.pick(1, 5, 10, 32)))),
        "softmax": lambda: tf.nn.softmax(x),
        "log_softmax": lambda: tf.nn.log_softmax(x),
        "l2": lambda: tf.nn.l2_normalize(x, -1),
        "scaled": lambda: x * draw.weights(1, size) + 0.5,
        "squared": lambda: tf.math.squared_difference(x, draw.weights(size)),
        "clipped": lambda: tf.minimum(tf.maximum(x, -0.5), draw.weights(size) + 1.0),
        "root": lambda: tf.sqrt(tf.abs(x) + 0.1),
        "exp": lambda: tf.exp(-tf.abs(x)),
        "split": lambda: tf.concat(tf.split(x, 2, -1)[::-1], -1) if size % 2 == 0 else x,
        "where": lambda: tf.where(x > 0.1, x, x * 0.25),
        "rows": lambda: tf.expand_dims(x, 1),
        "quotient": lambda: x / (tf.abs(x) + 1.0),
    }


def grown(draw, x, names):
    """The function: each step reads the last result; some results are joined with an earlier one of the same shape."""
    earlier = {}
    for _ in range(draw.pick(1, 2, 3, 5, 8, 12)):
        steps = {4: image_step, 3: rows_step, 2: vector_step}[len(x.shape)](draw, x)
        name = draw.random.choice(sorted(steps))
        x = activated(draw, x) if draw.random.random() < 0.15 else steps[name]()
        names.append(name)
        if np.prod(x.shape) > 6000:
            x = tf.reduce_mean(x, 1)
        before = earlier.get(tuple(x.shape))
        if before is not None and draw.random.random() < 0.5:
            how = draw.pick("add", "sub", "mul", "concat")
            names.append(how)
            x = {"add": tf.add, "sub": tf.subtract, "mul": tf.multiply, "concat": lambda a, b: tf.concat([a, b], -1)}[
                how
            ](x, before)
        earlier[tuple(x.shape)] = x
    return x


def convert(seed):
    draw = Draw(seed)
    draw.kept = []
    batch = draw.pick(1, 1, 1, 2, 3)
    shape = draw.pick(
        (batch, draw.whole(2, 9), draw.whole(2, 9), draw.pick(1, 3, 4, 8)),
        (batch, draw.whole(2, 8), draw.pick(3, 8)),
        (batch, draw.whole(2, 40)),
    )
    names = []
    scheme = draw.pick(
        "float32", "float16", "dynamic-range", "int8", "int8", "int8-float-io", "uint8-io", "int16x8", "int16x8"
    )
    start = seed * 7919 + 1
    state = {}

    def function(x):
        # TensorFlow may trace the function several times; every trace must make the same choices.
        names.clear()
        again = state["draw"] = Draw(start)
        again.kept = draw.kept
        return grown(again, x, names)

    concrete = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)]).get_concrete_function()
    module = tf.Module()
    module.kept = draw.kept
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    sets = tf.lite.OpsSet
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme.startswith(("int", "uint")):
        samples = [draw.numbers.normal(size=shape).astype(np.float32) for _ in range(8)]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        wide = scheme == "int16x8"
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 if wide else sets.TFLITE_BUILTINS_INT8
        ]
        io = {"int8": tf.int8, "uint8-io": tf.uint8, "int8-float-io": tf.float32, "int16x8": tf.int16}[scheme]
        converter.inference_input_type = converter.inference_output_type = io
    return converter.convert(), f"{scheme} {shape} {' '.join(names)}"


folder, first, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
index = []
for seed in range(first, first + count):
    try:
        model, description = convert(seed)
    except Exception as error:
        # Graphs that the converter rejects are skipped.
        print(f"{seed}: {str(error)[:200]}", file=sys.stderr)
        continue
    (folder / f"c{seed}.tflite").write_bytes(model)
    index.append({"name": f"c{seed}", "description": description})
(folder / "index.json").write_text(json.dumps(index))
