"""Runs models in a reference runtime, and writes down every tensor: python runtimes.py FOLDER RUNTIME

FOLDER/index.json lists {name, inputs} for models FOLDER/NAME.tflite with inputs FOLDER/NAME.K.bin; RUNTIME is tflm, tflite-reference
(TensorFlow with BUILTIN_REF) or tflite-optimized (its builtin kernels without delegates). Results: FOLDER/RUNTIME.json, a list of {tensors:
{index: [offset, bytes]}} or {error}, and FOLDER/RUNTIME.bin. Models run in a process of their own, since some end it: the error is then "died".
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


def filled(interpreter_inputs, paths):
    for details, path in zip(interpreter_inputs, paths):
        yield details, np.frombuffer(path.read_bytes(), details["dtype"]).reshape(details["shape"])


if runtime == "tflm":
    from tflite_micro import runtime as tflm

    def run(model, paths, tensors):
        interpreter = tflm.Interpreter.from_bytes(model, arena_size=64 << 20, intrepreter_config=tflm.InterpreterConfig.kPreserveAllTensors)
        details = [interpreter.get_input_details(k) for k in range(len(paths))]
        for k, (_, data) in enumerate(filled(details, paths)):
            interpreter.set_input(data, k)
        interpreter.invoke()
        for index in tensors:
            yield index, interpreter.GetTensor(index, 0)["tensor_data"]

else:
    import tensorflow as tf

    types = tf.lite.experimental.OpResolverType
    resolver = {"tflite-reference": types.BUILTIN_REF, "tflite-optimized": types.BUILTIN_WITHOUT_DEFAULT_DELEGATES}[runtime]

    def run(model, paths, tensors):
        interpreter = tf.lite.Interpreter(
            model_content=model, experimental_op_resolver_type=resolver, num_threads=1, experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
        for details, data in filled(interpreter.get_input_details(), paths):
            interpreter.set_tensor(details["index"], data)
        interpreter.invoke()
        for index in tensors:
            yield index, interpreter.get_tensor(index)


def results_of(item):
    name = item["name"]
    model = (folder / f"{name}.tflite").read_bytes()
    paths = [folder / f"{name}.{k}.bin" for k in range(item["inputs"])]
    return [(index, np.asarray(value).tobytes()) for index, value in run(model, paths, item["tensors"])]


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
