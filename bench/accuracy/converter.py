"""Quantizes float models as Google's converter does, for accuracy.js.

    python converter.py FOLDER [TOOL]

FOLDER contains NAME.float.tflite and NAME.calibration.bin (samples back to back, the inputs of each in order, in the
model's types). Writes NAME.google.tflite (TensorFlow's calibrator and quantizer, full integer, int8 inputs and
outputs), NAME.aieq.tflite (ai-edge-quantizer, static int8 weights and activations), and NAME.json with the reason if
one of them refuses the model.
"""

import json
import os
import pathlib
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.optimize.calibrator import Calibrator
from tensorflow.python.framework import dtypes


def samples(interpreter, data):
    details = interpreter.get_input_details()
    at = 0
    while at < len(data):
        sample = []
        for entry in details:
            size = int(np.prod(entry["shape"])) * np.dtype(entry["dtype"]).itemsize
            sample.append(np.frombuffer(data[at : at + size], entry["dtype"]).reshape(entry["shape"]))
            at += size
        yield sample


def tensorflow(model, interpreter, data):
    calibrator = Calibrator(model)
    return calibrator.calibrate_and_quantize(
        lambda: samples(interpreter, data),
        dtypes.int8,
        dtypes.int8,
        False,
        dtypes.int8,
        dtypes.int32,
        disable_per_channel=False,
    )


def ai_edge_quantizer(model, interpreter, data):
    from ai_edge_quantizer import quantizer, recipe

    named = interpreter.get_signature_runner().get_input_details()
    positions = {entry["index"]: i for i, entry in enumerate(interpreter.get_input_details())}
    path = folder / "aieq.tmp.tflite"
    path.write_bytes(model)
    tool = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    key = list(interpreter.get_signature_list())[0]
    feed = {
        key: [
            {name: sample[positions[entry["index"]]] for name, entry in named.items()}
            for sample in samples(interpreter, data)
        ]
    }
    return bytes(tool.quantize(tool.calibrate(feed)).quantized_model)


folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.glob("*.float.tflite")):
    name = path.name.removesuffix(".float.tflite")
    model, data = path.read_bytes(), (folder / f"{name}.calibration.bin").read_bytes()
    report = {}
    for tool, quantize in (("google", tensorflow), ("aieq", ai_edge_quantizer)):
        if len(sys.argv) > 2 and sys.argv[2] != tool:
            continue
        try:
            interpreter = tf.lite.Interpreter(model_content=model)
            interpreter.allocate_tensors()
            start = time.monotonic()
            (folder / f"{name}.{tool}.tflite").write_bytes(quantize(model, interpreter, data))
            report[f"{tool}Seconds"] = time.monotonic() - start
        except Exception as error:
            report[tool] = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    (folder / f"{name}.json").write_text(json.dumps(report))
