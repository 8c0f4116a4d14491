"""Trains the example's classifier and writes model.onnx.

    pip install -r requirements.txt
    python train.py

A 30-32-16-2 multilayer perceptron with ReLU, trained by full-batch Adam on the softmax cross-entropy, with weight
decay. The standardisation of the features is part of the exported graph: it takes raw measurements. Everything is
seeded and the order of operations is fixed, so a second run writes the same bytes.
"""

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 1
LAYERS = (30, 32, 16, 2)
# Epochs and decay by cross-validation on the training records alone.
EPOCHS = 50
LEARNING_RATE = 0.01
WEIGHT_DECAY = 1.0
CLASSES = ("malignant", "benign")
HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "datasets" / "breast-cancer-wisconsin"


def load(name):
    """Records (samples, 30) and class indices (samples,)."""
    with open(DATA / name, newline="", encoding="ascii") as file:
        rows = list(csv.reader(file))[1:]
    records = np.array([[float(value) for value in row[:-1]] for row in rows])
    return records, np.array([CLASSES.index(row[-1]) for row in rows])


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


def train(x, labels):
    """Weights (out, in) and biases (out,) of every layer."""
    rng = np.random.default_rng(SEED)
    layers = [
        (rng.standard_normal((out, fan_in)) * np.sqrt(2.0 / fan_in), np.zeros(out))
        for fan_in, out in zip(LAYERS, LAYERS[1:])
    ]
    onehot = np.eye(LAYERS[-1])[labels]
    first = [[np.zeros_like(p) for p in layer] for layer in layers]
    second = [[np.zeros_like(p) for p in layer] for layer in layers]
    for step in range(1, EPOCHS + 1):
        grads = gradients(layers, x, onehot)
        for i, layer in enumerate(layers):
            for j, (parameter, grad) in enumerate(zip(layer, grads[i], strict=True)):
                first[i][j] += 0.1 * (grad - first[i][j])
                second[i][j] += 0.001 * (grad**2 - second[i][j])
                m, v = first[i][j] / (1 - 0.9**step), second[i][j] / (1 - 0.999**step)
                decay = WEIGHT_DECAY * parameter if j == 0 else 0.0
                parameter -= LEARNING_RATE * (m / (np.sqrt(v) + 1e-8) + decay)
    return layers


def export(mean, scale, layers):
    """The ONNX graph: Sub, Div, (Gemm, Relu) twice, Gemm, Softmax."""
    constants, nodes, value = [], [], "record"

    def constant(name, array):
        constants.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def node(op, *inputs, output, **attributes):
        nodes.append(helper.make_node(op, [*inputs], [output], name=f"{op}_{output}", **attributes))
        return output

    value = node("Sub", value, constant("mean", mean), output="centred")
    value = node("Div", value, constant("scale", scale), output="standardised")
    for i, (weight, bias) in enumerate(layers, 1):
        operands = value, constant(f"weight{i}", weight), constant(f"bias{i}", bias)
        last = i == len(layers)
        value = node("Gemm", *operands, output="logits" if last else f"dense{i}", transB=1)
        value = value if last else node("Relu", value, output=f"hidden{i}")
    node("Softmax", value, output="probabilities", axis=1)

    graph = helper.make_graph(
        nodes,
        "diagnosis",
        [helper.make_tensor_value_info("record", TensorProto.FLOAT, ["N", LAYERS[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", LAYERS[-1]])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tacit-example"
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def main():
    records, labels = load("train.csv")
    mean, scale = records.mean(axis=0), records.std(axis=0)
    # What is exported is what is used: float32 constants.
    mean, scale = mean.astype(np.float32), scale.astype(np.float32)
    layers = train((records - mean) / scale, labels)
    layers = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers]
    for name in ("train", "test"):
        records, labels = load(f"{name}.csv")
        standardised = (records.astype(np.float32) - mean) / scale
        right = int((forward(layers, standardised)[-1].argmax(axis=1) == labels).sum())
        print(f"{name}: {right} of {len(labels)} right ({right / len(labels):.2%})")
    (HERE / "model.onnx").write_bytes(export(mean, scale, layers))


if __name__ == "__main__":
    main()
