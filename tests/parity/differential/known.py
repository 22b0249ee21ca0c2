"""Differences from PyTorch that are meant. Each stands in docs/api.md, too, and has a test."""
import collections

import torch

# `where(x, o, dy, want)` gives True for each element of the tensor that may differ: a bool tensor
# that broadcasts to its shape, from the inputs in f64, the options, the cotangent of output 0 (None
# where there is none) and PyTorch's result in f64.
Known = collections.namedtuple("Known", "operations tensors where reason")

NORMALISATIONS = ["batch_norm", "batch_norm_relu", "bn_scale_add_relu", "conv_batch_norm_relu",
                  "conv_bn_scale_add_relu", "group_norm", "group_norm_silu_conv2d", "layer_norm",
                  "layer_norm_linear"]


def everywhere(condition):
    return torch.as_tensor(bool(condition))


def has_equal_values(x, o):
    """Whether some group of values that is normalised is constant."""
    if "training" in o:
        x = x.flatten(0, -2).mT
    elif "groups" in o:
        x = x.reshape(x.shape[0], -1, int(o["groups"][0]), x.shape[-1] // int(o["groups"][0]))
        x = x.movedim(2, 1).flatten(2)
    return x.numel() > 0 and ((x.amax(-1) == x.amin(-1)) & x.isfinite().all(-1)).any()


def infinite_weights(w, o, axis):
    """Channels of a convolution with a weight that is not finite: of x (axis -1) or y (axis 0)."""
    bad = ~w.isfinite()
    if axis == 0:
        return bad.flatten(1).any(1)
    groups = int(o["groups"][0]) if "groups" in o else 1
    return bad.reshape(groups, -1, w.shape[-1]).any(1).flatten()


def infinite_scale(operation, x):
    """Whether gamma or a factor of the tail has a value that is not finite."""
    gamma = 2 if operation.startswith("conv_") else 3 if operation.endswith("conv2d") else 1
    places = [gamma, *range(gamma + 5, len(x))]
    return any(x[i] is not None and not x[i].isfinite().all() for i in places)


KNOWN = [
    Known(["softplus"], ["output/0", "gradient/0"], lambda x, o, dy, want: x[0] > 20.0,
          "PyTorch takes x for log(1 + e^x) above 20"),
    Known(["gelu_tanh"], ["output/0", "gradient/0"], lambda x, o, dy, want: x[0] < -2.0,
          "PyTorch adds 1 to a tanh near -1, which costs digits"),
    Known(["clamp"], ["gradient/0"],
          lambda x, o, dy, want: (x[0] == o["low"][0]) | (x[0] == o["high"][0]),
          "on a bound ours is dy, PyTorch's 0 where both bounds are given and dy where one is"),
    Known(["pow"], ["output/0", "gradient/0"],
          lambda x, o, dy, want: (x[0] == -torch.inf) & (o["exponent"][0] % 1.0 != 0.0),
          "powers of -infinity by square roots in PyTorch, by C's pow in ours"),
    Known(["cross_entropy"], ["gradient/0"], lambda x, o, dy, want: everywhere(not dy.isfinite()),
          "ours is one product with the gradient of the loss, PyTorch's a difference of two"),
    Known(["cross_entropy_soft"], ["output/0"],
          lambda x, o, dy, want: everywhere(((x[1] == 0.0) & (x[0] == -torch.inf)).any()),
          "a target of 0 at a logit of -infinity adds 0 in ours, NaN in PyTorch"),
    Known(["cross_entropy_soft"], ["gradient/0"],
          lambda x, o, dy, want: everywhere(not dy.isfinite()),
          "as in cross_entropy"),
    Known(["bce_with_logits"], ["output/0"],
          lambda x, o, dy, want: everywhere((x[0] == -torch.inf).any()),
          "(-infinity, y) is infinite for y > 0 in ours, as (infinity, 0) is in both"),
    Known(NORMALISATIONS + ["var"], [f"gradient/{i}" for i in range(8)],
          lambda x, o, dy, want: ~want.isfinite(),
          "where infinite terms meet, NaN or an infinity by the order of the sum"),
] + [
    Known([name], ["output/0"] + [f"gradient/{i}" for i in range(8)],
          lambda x, o, dy, want, name=name: everywhere(infinite_scale(name, x)),
          "ours is (x - mean) gamma, PyTorch's x gamma - mean gamma: NaN for an infinite gamma")
    for name in NORMALISATIONS
] + [
    Known(["group_norm", "group_norm_silu_conv2d", "layer_norm", "layer_norm_linear", "batch_norm",
           "batch_norm_relu", "bn_scale_add_relu"],
          ["output/0"] + [f"gradient/{i}" for i in range(8)],
          lambda x, o, dy, want: everywhere(has_equal_values(x[0], o)),
          "of equal values 0 or what rounding leaves, divided by sqrt(epsilon)"),
    Known(["conv1d", "conv2d", "conv2d_fast", "conv_batch_norm_relu", "conv_bn_scale_add_relu"],
          ["gradient/0"], lambda x, o, dy, want: infinite_weights(x[1], o, -1),
          "zeros beside dy are multiplied: NaN with an infinite weight"),
    Known(["group_norm_silu_conv2d"], [f"gradient/{i}" for i in (0, 3, 4, 5)],
          lambda x, o, dy, want: everywhere(not x[1].isfinite().all()),
          "as conv2d, and the normalisation spreads it over the group"),
    Known(["conv2d_fast"], ["output/0"], lambda x, o, dy, want: infinite_weights(x[1], o, 0),
          "the transform of an infinite weight is NaN"),
    Known(["hardswish"], ["gradient/0"], lambda x, o, dy, want: x[0].isnan(),
          "the derivative at NaN is NaN, in PyTorch NaN or dy by position"),
    Known(["scaled_dot_product_attention"], ["output/0"] + [f"gradient/{i}" for i in range(3)],
          lambda x, o, dy, want: ~want.isfinite(),
          "a NaN or infinity that a mask or the causal flag hides does not reach the result"),
]


def known_elements(operation, tensor, x, o, dy, want):
    """Which elements of a tensor may differ from PyTorch's."""
    allowed = torch.zeros_like(want, dtype=torch.bool)
    for entry in KNOWN:
        if operation in entry.operations and tensor in entry.tensors:
            allowed |= entry.where(x, o, dy, want)
    return allowed
