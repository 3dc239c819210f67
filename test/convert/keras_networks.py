"""Networks of keras.applications with weights under which every layer matters, and what was converted beside them.

make FOLDER NAME...     writes NAME.keras, NAME.h5, NAME.tensorflow.tflite (TensorFlow's own conversion) and
                        NAME.inputs.npy, and prints how far outputs differ between inputs
compare FOLDER NAME...  runs each NAME.*.atoll.tflite in LiteRT and compares every tensor that has the name of a layer
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import json
import sys

import numpy as np

SIZE = 96
SAMPLES = 8
# Networks that include the scaling of pixels.
PIXELS = ("ConvNeXtTiny", "EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small")


def draw_images(random, count, name):
    """Smooth random images with different means."""
    coarse = np.repeat(np.repeat(random.normal(0, 1, (count, 6, 6, 3)), SIZE // 6, 1), SIZE // 6, 2)
    fine = random.normal(0, 0.3, (count, SIZE, SIZE, 3))
    images = np.clip(coarse + fine + random.normal(0, 1, (count, 1, 1, 3)), -2, 2)
    return (images * 63 + 127 if name in PIXELS else images).astype("float32")


def draw_weights(model, random):
    """He-normal kernels by their true fan-in, gamma from 0.5 to 1.5, biases from -0.5 to 0.5."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        for weight in layer.weights:
            shape, kind = weight.shape, weight.path.split("/")[-1]
            if "kernel" in kind:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or "depthwise" in kind
                fan_in = shape[0] * shape[1] if depthwise else int(np.prod(shape[:-1]))
                weight.assign(random.normal(0, (2 / fan_in) ** 0.5, shape))
            elif "gamma" in kind:
                weight.assign(random.uniform(0.5, 1.5, shape))
            elif "beta" in kind or "bias" in kind:
                weight.assign(random.uniform(-0.5, 0.5, shape))


def network(name):
    import keras

    return getattr(keras.applications, name)(
        weights=None, input_shape=(SIZE, SIZE, 3), classifier_activation=None, classes=100
    )


def build(name):
    random = np.random.default_rng(1)
    model = network(name)
    draw_weights(model, random)
    # Batch statistics of one forward pass.
    model(draw_images(random, 16, name), training=True)
    return model, draw_images(random, SAMPLES, name)


def make(folder, names):
    import tensorflow as tf

    for name in names:
        model, images = build(name)
        outputs = np.array(model(images, training=False))
        spread = max(np.abs(a - b).max() for a in outputs for b in outputs) / np.abs(outputs).max()
        if spread < 0.1:
            sys.exit(f"{name}: outputs differ by {spread:.3f} of their magnitude only")
        np.save(f"{folder}/{name}.inputs.npy", images)
        model.save(f"{folder}/{name}.keras")
        model.save(f"{folder}/{name}.h5")
        converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        with open(f"{folder}/{name}.tensorflow.tflite", "wb") as file:
            file.write(converted)
        print(json.dumps({"name": name, "spread": round(float(spread), 3)}), flush=True)


def layer_outputs(name, weights, images):
    """In double precision: the float32 of Keras itself is up to 1e-4 away from it in networks of 100 layers."""
    import keras

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = network(name)
    model.set_weights(weights)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    named = {layer.name: layer.output for layer in model.layers if not isinstance(layer.output, (list, tuple))}
    values = keras.Model(model.inputs, named).predict(images, verbose=0, batch_size=len(images))
    return {name: np.asarray(value) for name, value in values.items()}


def compare(folder, names):
    import keras
    from ai_edge_litert.interpreter import Interpreter

    for name in names:
        model = keras.saving.load_model(f"{folder}/{name}.keras", compile=False)
        images = np.load(f"{folder}/{name}.inputs.npy")
        expected = layer_outputs(name, model.get_weights(), images)
        for kind in ("keras", "h5"):
            path = f"{folder}/{name}.{kind}.atoll.tflite"
            if not os.path.exists(path):
                continue
            interpreter = Interpreter(path, experimental_preserve_all_tensors=True)
            interpreter.allocate_tensors()
            details = [one for one in interpreter.get_tensor_details() if one["name"] in expected]
            largest = {one["name"]: 0.0 for one in details}
            output = interpreter.get_output_details()[0]["index"]
            results = []
            for i, image in enumerate(images):
                interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
                interpreter.invoke()
                results.append(interpreter.get_tensor(output)[0])
                for one in details:
                    value, wanted = interpreter.get_tensor(one["index"])[0], expected[one["name"]][i]
                    scale = np.abs(expected[one["name"]]).max()
                    largest[one["name"]] = max(largest[one["name"]], float(np.abs(value - wanted).max() / scale))
            logits = expected[model.layers[-1].name]
            worst = max(largest, key=largest.get)
            print(
                json.dumps(
                    {
                        "name": name,
                        "kind": kind,
                        "layers": len(largest),
                        "worst": worst,
                        "error": largest[worst],
                        "outputError": float(np.abs(np.array(results) - logits).max() / np.abs(logits).max()),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](sys.argv[2], sys.argv[3:])
