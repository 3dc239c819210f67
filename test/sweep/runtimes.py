"""Runs models in a reference runtime, and writes every tensor: python runtimes.py FOLDER RUNTIME

FOLDER/index.json lists {name, inputs, frames, arena, runtimes, tensors} for models FOLDER/NAME.tflite.
FOLDER/NAME.K.bin is input K, frame after frame; the state is not reset between frames. RUNTIME is tflm,
tflite-reference (TensorFlow with BUILTIN_REF) or tflite-optimized (builtin kernels without delegates). The results
are the tensors after the last frame: FOLDER/RUNTIME.json, an object of {tensors: {index: [offset, bytes]}} or {error}
by name, and FOLDER/RUNTIME.bin. Each model runs in its own process, since some crash it: the error is then "died".
"""

import json
import os
import pathlib
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")

import numpy as np

folder, runtime = pathlib.Path(sys.argv[1]), sys.argv[2]


def frames_of(details, item):
    """The input arrays of each frame."""
    paths = [folder / f"{item['name']}.{k}.bin" for k in range(item["inputs"])]
    inputs = [
        np.frombuffer(path.read_bytes(), d["dtype"]).reshape((item["frames"], *d["shape"]))
        for d, path in zip(details, paths)
    ]
    return [[data[frame] for data in inputs] for frame in range(item["frames"])]


if runtime == "tflm":
    from tflite_micro import runtime as tflm

    def run(model, item):
        config = tflm.InterpreterConfig.kPreserveAllTensors
        interpreter = tflm.Interpreter.from_bytes(model, arena_size=item["arena"], intrepreter_config=config)
        for frame in frames_of([interpreter.get_input_details(k) for k in range(item["inputs"])], item):
            for k, data in enumerate(frame):
                interpreter.set_input(data, k)
            interpreter.invoke()
        for index in item["tensors"]:
            yield index, interpreter.GetTensor(index, 0)["tensor_data"]

else:
    import tensorflow as tf

    types = tf.lite.experimental.OpResolverType
    resolver = {"tflite-reference": types.BUILTIN_REF, "tflite-optimized": types.BUILTIN_WITHOUT_DEFAULT_DELEGATES}[
        runtime
    ]

    def run(model, item):
        interpreter = tf.lite.Interpreter(
            model_content=model,
            experimental_op_resolver_type=resolver,
            num_threads=1,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        details = interpreter.get_input_details()
        for frame in frames_of(details, item):
            for d, data in zip(details, frame):
                interpreter.set_tensor(d["index"], data)
            interpreter.invoke()
        for index in item["tensors"]:
            yield index, interpreter.get_tensor(index)


def results_of(item):
    model = (folder / f"{item['name']}.tflite").read_bytes()
    return [(index, np.asarray(value).tobytes()) for index, value in run(model, item)]


def logged():
    """The last that a runtime has printed, on a line."""
    words = " ".join(log.read_text(errors="replace").split())
    log.write_text("")
    return words[-400:]


def work(items, pipe):
    """Writes a line for each item, in order; results go to the end of the shared file."""
    with open(folder / f"{runtime}.bin", "ab") as out:
        for item in items:
            try:
                places = {}
                for index, data in results_of(item):
                    places[index] = [out.tell(), len(data)]
                    out.write(data)
                out.flush()
                answer = {"tensors": places}
            except Exception as error:
                answer = {"error": f"{error} {logged()}"}
            pipe.write(json.dumps(answer) + "\n")
            pipe.flush()


log = folder / f"{runtime}.log"
log.write_text("")
(folder / f"{runtime}.bin").write_bytes(b"")
items = json.loads((folder / "index.json").read_text())
items = [item for item in items if runtime.split("-")[0] in item["runtimes"]]
answers = []
while len(answers) < len(items):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(log, os.O_RDWR | os.O_APPEND), 2)
        with os.fdopen(writing, "w") as pipe:
            work(items[len(answers) :], pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        for line in pipe:
            answers.append(json.loads(line))
    _, status = os.waitpid(child, 0)
    if len(answers) < len(items):
        answers.append({"error": f"died of {os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}: {logged()}"})
(folder / f"{runtime}.json").write_text(json.dumps({item["name"]: answer for item, answer in zip(items, answers)}))
