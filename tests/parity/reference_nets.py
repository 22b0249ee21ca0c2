"""The CIFAR ResNets of the parity test in PyTorch, and the formulas that fill all networks.

Contract. Weights, images and labels are functions of a name and an index, so nothing is stored;
the C++ test repeats them bit for bit. `README.md` in this folder says how, in words.

    bits(n, k)  k-th output (k = 0, 1, ...) of splitmix64 seeded with FNV-1a-64 of the string n
    u(n, k)     (bits(n, k) >> 11) * 2^-52 - 1, uniform in [-1, 1), exact in double
    tensor n    element k, row-major in PyTorch's layout: a function of u(n, k), see `formula`
    images    of step s: u("input#s", k), k row-major in NCHW; labels: bits("label#s", b) mod K
    diffusion u("target#s", k) as images; times bits("time#s", b) mod 1000; K counts no class, too

State-dict names are torchvision's; attention is `layer1.0.attention.*` when a block owns it and
`layer1.attention.*` when a stage does.
"""
import math
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# ---------------------------------------------------------------- formulas

def bits(name, count):
    """The first `count` outputs of splitmix64 seeded with the FNV-1a-64 hash of `name`."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name, shape):
    """Doubles in [-1, 1), exact multiples of 2^-52."""
    z = bits(name, math.prod(shape)) >> np.uint64(11)
    return torch.from_numpy(z.astype(np.float64) * 2.0**-52 - 1.0).reshape(shape)


def formula(name, state):
    """Value of the state-dict tensor `name`; the weight beside it tells which layer owns it."""
    tensor = state[name]
    u = uniform(name, tensor.shape)
    if name in ("cls_token", "pos_embed"):
        return 0.25 * u
    if name.endswith(".gamma"):  # LayerScale
        return 0.5 + 0.25 * u
    weight = state[name.rpartition(".")[0] + ".weight"]
    if weight.dim() == 4:  # convolution: variance 2 / (kh kw O)
        return math.sqrt(6.0 / (weight[0, 0].numel() * weight.shape[0])) * u
    if weight.dim() > 1:  # linear layers and the 1-d convolution of ECA
        wide = name.endswith(("qkv.weight", "to_q.weight", "to_k.weight"))
        bound = (2.0 if wide else 1.0) / math.sqrt(weight[0].numel())
        return bound * (0.75 + 0.25 * u if name.endswith("bias") else u)
    if name.endswith("bn3.weight"):  # the branch's last normalisation in a bottleneck
        return 0.25 + 0.125 * u
    if name.endswith(("weight", "running_var")):
        return 1.0 + 0.25 * u
    return 0.125 * u


def fill(net):
    state = net.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(formula(name, state))
    return net


def batch_of(step, size, classes, image):
    labels = bits(f"label#{step}", size) % np.uint64(classes)
    images = uniform(f"input#{step}", (size, 3, image, image))
    return images, torch.from_numpy(labels.astype(np.int64))


def diffusion_batch_of(step, size, classes, image):
    """Images, times and classes of which the last one means none (without classes: None), and what
    the net should give."""
    shape = (size, 3, image, image)
    times = torch.from_numpy((bits(f"time#{step}", size) % np.uint64(1000)).astype(np.int64))
    labels = bits(f"label#{step}", size) % np.uint64(classes + 1)
    labels = torch.from_numpy(labels.astype(np.int64)) if classes else None
    return uniform(f"input#{step}", shape), times, labels, uniform(f"target#{step}", shape)


# ---------------------------------------------------------------- networks

class SE(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, pooled, state):
        return torch.sigmoid(self.fc2(F.relu(self.fc1(pooled)))), state


class ECA(nn.Module):
    def __init__(self, channels):
        super().__init__()
        t = int(abs((math.log2(channels) + 1) / 2))
        k = t if t % 2 else t + 1
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def forward(self, pooled, state):
        return torch.sigmoid(self.conv(pooled.unsqueeze(1)).squeeze(1)), state


class DiaCell(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        hidden = channels // reduction
        self.x_down, self.x_up = nn.Linear(channels, hidden), nn.Linear(hidden, 4 * channels)
        self.h_down, self.h_up = nn.Linear(channels, hidden), nn.Linear(hidden, 4 * channels)

    def gates(self, pooled, h):
        return self.x_up(F.relu(self.x_down(pooled))) + self.h_up(F.relu(self.h_down(h)))

    def forward(self, pooled, state, output=torch.sigmoid):
        h, c = state
        i, f, g, o = self.gates(pooled, h).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * output(c), c


class StackedCell(DiaCell):
    """The second and later cells have no bottleneck."""

    def __init__(self, channels):
        nn.Module.__init__(self)
        self.x, self.h = nn.Linear(channels, 4 * channels), nn.Linear(channels, 4 * channels)

    def gates(self, pooled, h):
        return self.x(pooled) + self.h(h)


class DiaLstm(nn.Module):
    """The authors drop a tenth of what a stacked cell reads, in training; without that here, since
    masks of two programs are never the same."""

    def __init__(self, channels, cells=1, output=torch.sigmoid):
        super().__init__()
        stacked = [StackedCell(channels) for _ in range(cells - 1)]
        self.cells, self.output = nn.ModuleList([DiaCell(channels)] + stacked), output

    def forward(self, pooled, state):
        zero = torch.zeros_like(pooled)
        before, state, y = state or [(zero, zero)] * len(self.cells), [], pooled
        for cell, own in zip(self.cells, before):
            state.append(cell(y, own, self.output))
            y = state[-1][0]
        return y, state


ATTENTION = {"none": None, "se": SE, "eca": ECA, "dia-lstm": DiaLstm,
             "dia-lstm:cells=2,dropout=0": partial(DiaLstm, cells=2),
             "dia-lstm:output=tanh": partial(DiaLstm, output=torch.tanh)}


class Block(nn.Module):
    """Post-activation residual block; `widths` are its inner and outer channels."""

    def __init__(self, c_in, width, c_out, stride, attention):
        super().__init__()
        if c_out == width:  # basic: 3x3 (stride), 3x3
            convs = [(c_in, width, 3, stride), (width, c_out, 3, 1)]
        else:  # bottleneck: 1x1, 3x3 (stride), 1x1
            convs = [(c_in, width, 1, 1), (width, width, 3, stride), (width, c_out, 1, 1)]
        self.depth = len(convs)
        for i, (a, b, k, s) in enumerate(convs, 1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        if attention:
            self.attention = attention(c_out)

    def forward(self, x, unit, state):
        shortcut = self.downsample(x) if self.downsample else x
        for i in range(1, self.depth + 1):
            x = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
            x = F.relu(x, inplace=True) if i < self.depth else x
        unit = unit or getattr(self, "attention", None)
        if unit:
            scale, state = unit(x.mean(dim=(2, 3)), state)
            x = x * scale[:, :, None, None]
        return F.relu(x + shortcut, inplace=True), state


class Stage(nn.Module):
    """Blocks `0`, `1`, ...; `attention` is the unit they share, its state empty at each forward."""

    def __init__(self, c_in, width, c_out, blocks, stride, attention, sharing):
        super().__init__()
        own = attention if sharing == "block" else None
        self.blocks = blocks
        for i in range(blocks):
            first = i == 0
            block = Block(c_in if first else c_out, width, c_out, stride if first else 1, own)
            self.add_module(str(i), block)
        self.attention = attention(c_out) if attention and sharing == "stage" else None

    def forward(self, x):
        state = None
        for i in range(self.blocks):
            x, state = getattr(self, str(i))(x, self.attention, state)
        return x


class ResNet(nn.Module):
    """CIFAR ResNet: basic blocks, depth 6n+2; bottlenecks, depth 9n+2. `base` is the width of the
    stem and of the first stage."""

    def __init__(self, depth, classes, attention="none", sharing="block", bottleneck=None, base=16):
        super().__init__()
        bottleneck = depth > 110 if bottleneck is None else bottleneck
        blocks, rest = divmod(depth - 2, 9 if bottleneck else 6)
        assert rest == 0, f"depth {depth} is not {'9n+2' if bottleneck else '6n+2'}"
        self.conv1 = nn.Conv2d(3, base, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        c_in, unit = base, ATTENTION[attention]
        for i, width in enumerate((base, 2 * base, 4 * base), 1):
            c_out = 4 * width if bottleneck else width
            stage = Stage(c_in, width, c_out, blocks, 1 if i == 1 else 2, unit, sharing)
            self.add_module(f"layer{i}", stage)
            c_in = c_out
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))
