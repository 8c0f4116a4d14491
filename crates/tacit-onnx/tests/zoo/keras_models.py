"""Keras networks, exported by `Model.export(format="onnx")`, which is tf2onnx underneath."""

import os
import tempfile

import keras
from keras import layers

exported = []


def export(name, model, data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        model.export(path, format="onnx", verbose=False)
        with open(path, "rb") as f:
            exported.append((name, f.read(), data.name))


def fit(model, data, epochs=6, x=None):
    classes = model.output_shape[-1] > 1
    loss = "sparse_categorical_crossentropy" if classes else "binary_crossentropy"
    model.compile(keras.optimizers.Adam(0.003), loss)
    x = data.x if x is None else x
    model.fit(x[data.train], data.y[data.train], batch_size=32, epochs=epochs, verbose=0)
    return model


ACTIVATIONS = {
    "relu": lambda: layers.ReLU(),
    "leaky_relu": lambda: layers.LeakyReLU(negative_slope=0.1),
    "prelu": lambda: layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25)),
    "elu": lambda: layers.ELU(),
    "selu": lambda: layers.Activation("selu"),
    "sigmoid": lambda: layers.Activation("sigmoid"),
    "hard_sigmoid": lambda: layers.Activation("hard_sigmoid"),
    "tanh": lambda: layers.Activation("tanh"),
    "softplus": lambda: layers.Activation("softplus"),
    "softsign": lambda: layers.Activation("softsign"),
    # The exact form ends in Erfc, which tf2onnx writes and ONNX does not know.
    "gelu_tanh": lambda: layers.Activation(lambda x: keras.activations.gelu(x, approximate=True)),
    "silu": lambda: layers.Activation("silu"),
    "hard_silu": lambda: layers.Activation("hard_silu"),
    "relu6": lambda: layers.Activation("relu6"),
    "mish": lambda: layers.Activation("mish"),
}


def dense(digits, cancer):
    for name, activation in ACTIVATIONS.items():
        stack = [keras.Input((64,)), layers.Rescaling(1 / 16), layers.Dense(24), activation()]
        model = keras.Sequential([*stack, layers.Dense(10, activation="softmax")])
        export(f"keras_{name}", fit(model, digits), digits)
    scale = layers.BatchNormalization()
    hidden = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((30,)), scale, *hidden, layers.Dense(1, activation="sigmoid")])
    export("keras_binary", fit(model, cancer, 20), cancer)


def convolutional(digits28, signals):
    # Keras keeps channels last: the same images under that layout, which one channel does not tell apart.
    x = digits28.x.reshape(-1, 28, 28, 1)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(48, activation="tanh"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    export("keras_lenet", fit(model, digits28, 3, x), digits28)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6),
            layers.SeparableConv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    export("keras_separable", fit(model, digits28, 30, x), digits28)
    model = keras.Sequential(
        [
            keras.Input((2, 64)),
            layers.Permute((2, 1)),
            layers.Conv1D(8, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(12, 5, padding="causal", dilation_rate=2, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    export("keras_conv1d", fit(model, signals), signals)


def all_models(digits, cancer, digits28, signals):
    """Name, file and name of the data set of every model."""
    keras.utils.set_random_seed(5)
    dense(digits, cancer)
    convolutional(digits28, signals)
    return exported
