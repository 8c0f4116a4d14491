"""Trains the example's three competitors and writes logistic.onnx, mlp.onnx and weak.onnx.

    pip install -r requirements.txt
    python train.py

Multilayer perceptrons with ReLU (the first has no hidden layer), trained by full-batch Adam on the softmax
cross-entropy, with weight decay. The scaling of the pixels is part of the exported graphs: they take the counts of the
data. Everything is seeded and the order of operations is fixed, so a second run writes the same bytes.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 1
LEARNING_RATE = 0.01
# The largest value of a pixel.
SCALE = np.float32(16.0)
HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "datasets" / "optical-digits"


class Competitor(NamedTuple):
    """What one competitor trains, and for how long."""

    name: str
    layers: tuple[int, ...]
    epochs: int
    weight_decay: float


COMPETITORS = (
    # Epochs and decay by cross-validation on the training records alone.
    Competitor("logistic", (64, 10), 1600, 0.1),
    Competitor("mlp", (64, 64, 32, 10), 400, 0.1),
    # Too small and stopped too early, on purpose.
    Competitor("weak", (64, 8, 10), 50, 0.0),
)


def load(name):
    """Records (samples, 64) and digits (samples,)."""
    with open(DATA / name, newline="", encoding="ascii") as file:
        rows = list(csv.reader(file))[1:]
    values = np.array([[int(value) for value in row] for row in rows])
    return values[:, :-1].astype(np.float32), values[:, -1]


def forward(layers, x):
    """Activations of every layer, the input first and the logits last."""
    activations = [x]
    for i, (weight, bias) in enumerate(layers):
        z = activations[-1] @ weight.T + bias
        activations.append(z if i == len(layers) - 1 else np.maximum(z, 0.0))
    return activations


def gradients(layers, x, onehot):
    """Gradient of the mean cross-entropy with respect to every weight and bias."""
    activations = forward(layers, x)
    logits = activations[-1] - activations[-1].max(axis=1, keepdims=True)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    delta = (softmax - onehot) / len(x)
    grads = []
    for (weight, _), a in zip(reversed(layers), reversed(activations[:-1]), strict=True):
        grads.append((delta.T @ a, delta.sum(axis=0)))
        delta = (delta @ weight) * (a > 0.0)
    return grads[::-1]


def train(competitor, x, labels):
    """Weights (out, in) and biases (out,) of every layer."""
    rng = np.random.default_rng(SEED)
    layers = [
        (rng.standard_normal((out, fan_in)) * np.sqrt(2.0 / fan_in), np.zeros(out))
        for fan_in, out in zip(competitor.layers, competitor.layers[1:])
    ]
    x, onehot = x.astype(np.float64), np.eye(competitor.layers[-1])[labels]
    first = [[np.zeros_like(p) for p in layer] for layer in layers]
    second = [[np.zeros_like(p) for p in layer] for layer in layers]
    for step in range(1, competitor.epochs + 1):
        grads = gradients(layers, x, onehot)
        for i, layer in enumerate(layers):
            for j, (parameter, grad) in enumerate(zip(layer, grads[i], strict=True)):
                first[i][j] += 0.1 * (grad - first[i][j])
                second[i][j] += 0.001 * (grad**2 - second[i][j])
                m, v = first[i][j] / (1 - 0.9**step), second[i][j] / (1 - 0.999**step)
                decay = competitor.weight_decay * parameter if j == 0 else 0.0
                parameter -= LEARNING_RATE * (m / (np.sqrt(v) + 1e-8) + decay)
    return layers


def export(layers):
    """The ONNX graph: Div, then Gemm with Relu between, then Softmax."""
    constants, nodes, value = [], [], "image"

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.asarray(array, dtype=np.float32), name))
        return name

    def node(op, *inputs, output, **attributes):
        nodes.append(helper.make_node(op, [*inputs], [output], name=f"{op}_{output}", **attributes))
        return output

    value = node("Div", value, constant("scale", SCALE), output="scaled")
    for i, (weight, bias) in enumerate(layers, 1):
        operands = value, constant(f"weight{i}", weight), constant(f"bias{i}", bias)
        last = i == len(layers)
        value = node("Gemm", *operands, output="logits" if last else f"dense{i}", transB=1)
        value = value if last else node("Relu", value, output=f"hidden{i}")
    node("Softmax", value, output="probabilities", axis=1)

    inputs, outputs = layers[0][0].shape[1], layers[-1][0].shape[0]
    graph = helper.make_graph(
        nodes,
        "digit",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", inputs])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", outputs])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tacit-example"
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def main():
    parts = {name: load(f"{name}.csv") for name in ("train", "test")}
    for competitor in COMPETITORS:
        images, digits = parts["train"]
        layers = train(competitor, images / SCALE, digits)
        # What is exported is what is used: float32 constants.
        layers = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers]
        for name, (images, digits) in parts.items():
            right = int((forward(layers, images / SCALE)[-1].argmax(axis=1) == digits).sum())
            print(f"{competitor.name}, {name}: {right} of {len(digits)} right ({right / len(digits):.2%})")
        (HERE / f"{competitor.name}.onnx").write_bytes(export(layers))


if __name__ == "__main__":
    main()
