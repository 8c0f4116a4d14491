"""PyTorch networks, exported by both of torch's exporters: the one by tracing (`dynamo=False`) and the newer one."""

import io
import logging
import warnings

import torch
from torch import nn

from store import save

warnings.filterwarnings("ignore")
logging.getLogger("torch.onnx").setLevel(logging.ERROR)


def export(name, model, data, opset=17, dynamo=False, batch=None):
    """`batch` fixes the number of samples; otherwise the sample axis stays open."""
    model.eval()
    example = torch.from_numpy(data.x[: batch or 2])
    if dynamo:
        shapes = None if batch else ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(
            model, (example,), dynamo=True, opset_version=opset, dynamic_shapes=shapes, verbose=False, optimize=True
        )
        content = program.model_proto.SerializeToString()
    else:
        buffer = io.BytesIO()
        axes = None if batch else {"input": {0: "batch"}, "output": {0: "batch"}}
        names = {"input_names": ["input"], "output_names": ["output"]}
        torch.onnx.export(model, (example,), buffer, dynamo=False, opset_version=opset, dynamic_axes=axes, **names)
        content = buffer.getvalue()
    save(name, content, data)


def fit(model, data, epochs=5, target=None, loss=None, rate=0.003):
    """Trains on `target`, by default the classes."""
    optimiser = torch.optim.Adam(model.parameters(), rate)
    loss = loss or nn.CrossEntropyLoss()
    x = torch.from_numpy(data.x)
    y = torch.from_numpy(data.y).long() if target is None else target(x)
    train = torch.from_numpy(data.train)
    model.train()
    for _ in range(epochs):
        for rows in train[torch.randperm(len(train))].split(32):
            optimiser.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimiser.step()
    return model.eval()


def dense_net(activation):
    return nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), activation, nn.Linear(24, 10))


def dense(digits):
    for name, activation in {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.05),
        "prelu": nn.PReLU(24),
        "elu": nn.ELU(0.7),
        "celu": nn.CELU(1.5),
        "selu": nn.SELU(),
        "sigmoid": nn.Sigmoid(),
        "hardsigmoid": nn.Hardsigmoid(),
        "tanh": nn.Tanh(),
        "hardtanh": nn.Hardtanh(),
        "softplus": nn.Softplus(),
        "softsign": nn.Softsign(),
        "gelu": nn.GELU(),
        "gelu_tanh": nn.GELU("tanh"),
        "silu": nn.SiLU(),
        "hardswish": nn.Hardswish(),
        "mish": nn.Mish(),
        "relu6": nn.ReLU6(),
    }.items():
        export(f"torch_{name}", fit(dense_net(activation), digits), digits)
    for name, activation in {"gelu": nn.GELU(), "gelu_tanh": nn.GELU("tanh"), "silu": nn.SiLU(), "prelu": nn.PReLU()}.items():
        export(f"torch_{name}_dynamo", fit(dense_net(activation), digits), digits, opset=20, dynamo=True)
    layers = [nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10), nn.LogSoftmax(1)]
    model = fit(nn.Sequential(*layers), digits, loss=nn.NLLLoss())
    export("torch_mlp", model, digits)
    export("torch_mlp_dynamo", model, digits, opset=18, dynamo=True)
    export("torch_mlp_batch_1", model, digits, opset=13, batch=1)


def lenet(activation, pool):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        activation(),
        pool(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        pool(2),
        nn.Flatten(),
        nn.Linear(400, 48),
        activation(),
        nn.Linear(48, 10),
    )


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.path(x) + self.skip(x))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Residual(8, 8, 1),
        Residual(8, 16, 2),
        Residual(16, 24, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )


class Inverted(nn.Module):
    """MobileNet V2's block: widen, filter each channel by itself, narrow; a shortcut where the shape allows."""

    def __init__(self, inputs, outputs, stride, widen=2):
        super().__init__()
        wide = inputs * widen
        self.shortcut = stride == 1 and inputs == outputs
        self.path = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x):
        return x + self.path(x) if self.shortcut else self.path(x)


def mobilenet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        Inverted(8, 8, 1),
        Inverted(8, 12, 2),
        Inverted(12, 12, 1),
        nn.Conv2d(12, 32, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, 4),
    )


class UNet(nn.Module):
    """One level down and up, with the skip joined by channels; answers with an image."""

    def __init__(self, up):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.ReLU())
        self.bottom = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.up = up
        self.head = nn.Sequential(nn.Conv2d(14, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 1, 1))

    def forward(self, x):
        a = self.down(x)
        return self.head(torch.cat([self.up(self.bottom(a)), a], 1))


class Squeeze(nn.Module):
    """A squeeze-and-excitation gate: channels weighted by a sigmoid of their own means."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 8, 3, 2, 1), nn.ReLU())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Sigmoid())
        self.head = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))

    def forward(self, x):
        x = self.first(x)
        return self.head(x * self.gate(x))


class Pools(nn.Module):
    """Every kind of pooling on one image, side by side."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
        self.pools = nn.ModuleList(
            [
                nn.MaxPool2d(2),
                nn.MaxPool2d(3, 2, 1),
                nn.AvgPool2d(3, 2, 1),
                nn.AvgPool2d(3, 2, 1, count_include_pad=False),
                nn.AdaptiveAvgPool2d(8),
            ]
        )
        self.second = nn.Sequential(nn.Conv2d(20, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        x = self.first(x)
        x = self.second(torch.cat([pool(x) for pool in self.pools], 1))
        return self.last(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))


def blur(x):
    return nn.functional.avg_pool2d(x.mean(1, keepdim=True), 5, 1, 2)


def convolutional(digits28, patterns, small_patterns, signals):
    export("lenet_average_tanh", fit(lenet(nn.Tanh, nn.AvgPool2d), digits28, 3), digits28)
    export("lenet_average_relu", fit(lenet(nn.ReLU, nn.AvgPool2d), digits28, 3), digits28)
    model = fit(lenet(nn.ReLU, nn.MaxPool2d), digits28, 3)
    export("lenet_max", model, digits28)
    export("lenet_max_dynamo", model, digits28, opset=18, dynamo=True)
    export("lenet_max_batch_1", model, digits28, opset=11, batch=1)

    model = fit(resnet(), patterns, 6)
    export("resnet", model, patterns)
    export("resnet_dynamo", model, patterns, opset=18, dynamo=True)
    export("mobilenet", fit(mobilenet(), patterns, 5), patterns)
    export("squeeze_excitation", fit(Squeeze(), small_patterns, 25), small_patterns)
    export("pools", fit(Pools(), small_patterns, 20), small_patterns)

    mse = nn.MSELoss()
    up = nn.Upsample(scale_factor=2, mode="nearest")
    export("unet_nearest", fit(UNet(up), small_patterns, 4, blur, mse), small_patterns)
    export("unet_transposed", fit(UNet(nn.ConvTranspose2d(8, 8, 2, 2)), small_patterns, 4, blur, mse), small_patterns)

    layers = [nn.Conv1d(2, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)]
    layers += [nn.Conv1d(8, 8, 3, groups=2, dilation=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 3)]
    export("conv1d", fit(nn.Sequential(*layers), signals, 8), signals)


class Anomaly(nn.Module):
    """How far a record lies from what an autoencoder makes of it: the mean squared difference."""

    def __init__(self):
        super().__init__()
        self.code = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 8), nn.ReLU())
        self.decode = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 64))

    def rebuild(self, x):
        return self.decode(self.code(x / 16))

    def forward(self, x):
        return ((self.rebuild(x) - x / 16) ** 2).mean(1, keepdim=True)


class Absolute(Anomaly):
    """The same with the mean absolute difference."""

    def forward(self, x):
        return (self.rebuild(x) - x / 16).abs().mean(1, keepdim=True)


def anomaly(digits):
    for name, kind in {"autoencoder_squared": Anomaly, "autoencoder_absolute": Absolute}.items():
        model = kind()
        fit(model, digits, 15, lambda x: torch.zeros(len(x), 1), nn.L1Loss())
        export(name, model, digits)
    # The rebuilt record itself, for a score outside of the model.
    model.forward = model.rebuild
    export("autoencoder", model, digits)


def halves(digits):
    """Float16 throughout, as `model.half()` exports."""
    model = fit(dense_net(nn.ReLU()), digits)

    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model.half()

        def forward(self, x):
            return self.inner(x.half()).float()

    export("torch_half", Half(), digits)


class IrisCode(nn.Module):
    """Phases of eight Gabor filters over an unwrapped iris: four orientations, real and imaginary part, one bit per sign."""

    def __init__(self, pack):
        super().__init__()
        i, j = torch.meshgrid(torch.arange(-3.0, 4.0), torch.arange(-3.0, 4.0), indexing="ij")
        bank = []
        for angle in (0.0, 0.785, 1.571, 2.356):
            along = i * torch.sin(torch.tensor(angle)) + j * torch.cos(torch.tensor(angle))
            window = torch.exp(-(i**2 + j**2) / 8)
            for wave in (torch.cos(1.2 * along), torch.sin(1.2 * along)):
                kernel = window * wave
                bank.append(kernel - kernel.mean())
        self.register_buffer("bank", torch.stack(bank)[:, None] / 255)
        self.register_buffer("powers", 2.0 ** torch.arange(8.0)[None, :, None, None])
        self.pack = pack

    def forward(self, x):
        bits = (nn.functional.conv2d(x, self.bank, stride=(5, 8)) > 0).float()
        return (bits * self.powers).sum(1).flatten(1) if self.pack else bits.flatten(1)


def codes(strips):
    export("iris_code", IrisCode(False), strips)
    export("iris_code_packed", IrisCode(True), strips)

    class Scores(IrisCode):
        """The filters' answers themselves, clipped to the range that the code looks at."""

        def forward(self, x):
            return nn.functional.conv2d(x, self.bank, stride=(5, 8)).clamp(-1, 1).flatten(1)

    export("iris_filters", Scores(False), strips)


def norms(digits):
    """Layer normalisation as one operator and, before operator set 17, in pieces."""
    torch.manual_seed(29)
    torch.set_num_threads(1)
    layers = [nn.Linear(64, 24), nn.LayerNorm(24), nn.GELU(), nn.Linear(24, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 10)]
    model = fit(nn.Sequential(*layers), digits)
    export("torch_layer_norm", model, digits)
    export("torch_layer_norm_pieces", model, digits, opset=13)
    export("torch_layer_norm_dynamo", model, digits, opset=20, dynamo=True)


def all_models(digits, digits28, patterns, small_patterns, signals, strips):
    torch.manual_seed(5)
    torch.set_num_threads(1)
    dense(digits)
    convolutional(digits28, patterns, small_patterns, signals)
    anomaly(digits)
    halves(digits)
    codes(strips)
    norms(digits)
