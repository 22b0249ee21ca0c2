"""The operations of the table in PyTorch: REFERENCES[name](x, o) gives the outputs for the list of
inputs x (None for one that is left out) and the options o, a list of numbers each. Images and
sequences are channels-last, filters O, kh, kw, I, as in diagrad."""
import torch
import torch.nn.functional as F

CAST_TARGETS = [torch.float32, torch.float64, torch.bfloat16]


def integer(o, name):
    return int(o[name][0])


def integers(o, name):
    return [int(value) for value in o[name]]


def axes_of(x, o):
    """The axes of a reduction; an empty list stands for all."""
    return integers(o, "axes") or list(range(x.dim()))


def reduced(function):
    def run(x, o):
        if x[0].dim() == 0:
            return [function(x[0].reshape(1), [0], False)]
        return [function(x[0], axes_of(x[0], o), bool(o["keep"][0]))]
    return run


def largest(x, axes, keep):
    """torch.max over one axis at a time would choose another of equal elements."""
    axes = sorted(axis % x.dim() for axis in axes)
    kept = [axis for axis in range(x.dim()) if axis not in axes]
    values = x.permute(kept + axes).flatten(len(kept)).max(-1).values
    if not keep:
        return values
    return values.reshape([1 if axis in axes else x.shape[axis] for axis in range(x.dim())])


def variance(x, o):
    correction = integer(o, "unbiased")
    return reduced(lambda t, axes, keep: t.var(axes, correction=correction, keepdim=keep))(x, o)


def sliced(x, o):
    start, stop, step = integers(o, "range")
    index = [slice(None)] * x[0].dim()
    index[integer(o, "axis")] = slice(start, stop, step)
    return [x[0][tuple(index)]]


def padded(x, o):
    sizes = integers(o, "sizes")
    pairs = [sizes[i:i + 2] for i in range(0, len(sizes), 2)]
    flat = [size for pair in reversed(pairs) for size in pair]
    return [F.pad(x[0], flat, value=o["value"][0]) if flat else x[0].clone()]


def scalar_arithmetic(x, o):
    x, s = x[0], o["s"][0]
    return [x + s, x - s, x * s, x / s, s + x, s - x, s * x, -x]


def in_place(x, o):
    x, y, alpha = x[0], x[1], o["alpha"][0]
    return [x.clone().add_(y, alpha=alpha), x.clone().mul_(y), x.clone().mul_(alpha),
            x.clone().zero_(), x.clone().copy_(y)]


def dropped(x, o):
    """nn.Dropout with the mask of ours: it multiplies by the noise, also with p = 1."""
    p = o["p"][0]
    noise = x[1].to(x[0].dtype)
    return [x[0] * (noise / (1.0 - p) if p < 1.0 else noise)]


def per_channel(s, x):
    return s.reshape([s.shape[0]] + [1] * (x.dim() - 2) + [s.shape[1]])


def matrix_product(x, o):
    a = x[0].mT if o["transpose_a"][0] else x[0]
    b = x[1].mT if o["transpose_b"][0] else x[1]
    return [a @ b]


def attention(x, o):
    mask = x[3]
    if mask is not None:
        mask = mask.bool() if mask.dtype == torch.uint8 else mask
        mask = mask.expand(*x[0].shape[:3], x[1].shape[2])
    return [F.scaled_dot_product_attention(*x[:3], attn_mask=mask, is_causal=bool(o["causal"][0]),
                                           scale=o["scale"][0] or None)]


def packed_attention(x, o):
    b, t, width = x[0].shape
    heads = integers(o, "heads")[0]
    parts = x[0].reshape(b, t, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
    return [F.scaled_dot_product_attention(*parts).transpose(1, 2)]


def attention_weights(x, o):
    q, k, mask = x
    scores = q @ k.mT * (o["scale"][0] or q.shape[-1] ** -0.5)
    if o["causal"][0]:
        mask = torch.ones(scores.shape[-2:], dtype=torch.uint8).tril()
    if mask is not None and mask.dtype == torch.uint8:
        scores = scores.masked_fill(mask == 0, -torch.inf)
    elif mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1).masked_fill((scores == -torch.inf).all(-1, keepdim=True), 0.0)
    return [weights[..., integers(o, "rows"), :]]


def normalised(x, gamma, beta, mean, var, o):
    """The result and, where they are given, the running statistics after it."""
    statistics = [] if mean is None else [mean.clone(), var.clone()]
    y = F.batch_norm(x.reshape(-1, x.shape[-1]), *(statistics or [None, None]), gamma, beta,
                     bool(o["training"][0]), o["momentum"][0], o["epsilon"][0])
    return y.reshape(x.shape), statistics


def tail(y, residual, s, o):
    factors = integer(o, "factors")
    if factors == 0:
        return torch.relu(y + residual)
    if factors == 2:
        s = s * torch.sigmoid(y.reshape(y.shape[0], -1, y.shape[-1]).mean(1))
    return torch.relu(y * per_channel(s, y) + residual)


def batch_norm(x, o):
    y, statistics = normalised(*x[:5], o)
    return [y] + statistics


def batch_norm_relu(x, o):
    y, statistics = normalised(*x[:5], o)
    return [torch.relu(y)] + statistics


def bn_scale_add_relu(x, o):
    y, statistics = normalised(*x[:5], o)
    return [tail(y, x[5], x[6], o)] + statistics


def convolution(x, w, bias, **options):
    return F.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), bias,
                    **options).permute(0, 2, 3, 1)


def conv_batch_norm_relu(x, o):
    y = convolution(x[0], x[1], None, padding=integer(o, "padding"))
    y, statistics = normalised(y, *x[2:6], o)
    return [torch.relu(y)] + statistics


def conv_bn_scale_add_relu(x, o):
    y = convolution(x[0], x[1], None, padding=integer(o, "padding"))
    y, statistics = normalised(y, *x[2:6], o)
    return [tail(y, x[6], x[7], o)] + statistics


def conv2d(x, o):
    return [convolution(*x, stride=integers(o, "stride"), padding=integers(o, "padding"),
                        dilation=integers(o, "dilation"), groups=integer(o, "groups"))]


def conv1d(x, o):
    y = F.conv1d(x[0].mT, x[1].mT, x[2], integer(o, "stride"), integer(o, "padding"),
                 integer(o, "dilation"), integer(o, "groups"))
    return [y.mT]


def group_norm(x, o):
    y = F.group_norm(x[0].movedim(-1, 1), integer(o, "groups"), x[1], x[2], o["epsilon"][0])
    return [y.movedim(1, -1)]


def group_norm_silu_conv2d(x, o):
    shifted = x[0] if x[5] is None else x[0] + x[5][:, None, None]
    y = F.silu(group_norm([shifted, x[3], x[4]], o)[0])
    return [convolution(y, x[1], x[2], stride=integer(o, "stride"), padding=integer(o, "padding"))]


def lstm_step(u, c, o):
    i, f, g, out = u.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    shown = [torch.sigmoid, torch.tanh, torch.relu][integer(o, "output")](c)
    return [torch.sigmoid(out) * shown, c]


def dia_cell(x, o):
    def side(value, down, down_bias, up, up_bias):
        return F.linear(torch.relu(F.linear(value, down, down_bias)), up, up_bias)
    return lstm_step(side(x[0], *x[3:7]) + side(x[1], *x[7:11]), x[2], o)


def max_pool2d(x, o):
    y = F.max_pool2d(x[0].permute(0, 3, 1, 2), integers(o, "kernel"), integers(o, "stride"),
                     integers(o, "padding"))
    return [y.permute(0, 2, 3, 1)]


def avg_pool2d(x, o):
    y = F.avg_pool2d(x[0].permute(0, 3, 1, 2), integers(o, "kernel"), integers(o, "stride"),
                     integers(o, "padding"), count_include_pad=bool(o["count_include_pad"][0]))
    return [y.permute(0, 2, 3, 1)]


def adaptive_avg_pool2d(x, o):
    y = F.adaptive_avg_pool2d(x[0].permute(0, 3, 1, 2), integers(o, "size"))
    return [y.permute(0, 2, 3, 1)]


def upsample_nearest(x, o):
    factor = integer(o, "factor")
    return [x[0].repeat_interleave(factor, 1).repeat_interleave(factor, 2)]


REFERENCES = {
    "neg": lambda x, o: [-x[0]],
    "exp": lambda x, o: [torch.exp(x[0])],
    "log": lambda x, o: [torch.log(x[0])],
    "sqrt": lambda x, o: [torch.sqrt(x[0])],
    "abs": lambda x, o: [torch.abs(x[0])],
    "pow": lambda x, o: [torch.pow(x[0], o["exponent"][0])],
    "clamp": lambda x, o: [torch.clamp(x[0], o["low"][0], o["high"][0])],
    "affine": lambda x, o: [o["scale"][0] * x[0] + o["shift"][0]],
    "sigmoid": lambda x, o: [torch.sigmoid(x[0])],
    "tanh": lambda x, o: [torch.tanh(x[0])],
    "relu": lambda x, o: [torch.relu(x[0])],
    "gelu": lambda x, o: [F.gelu(x[0])],
    "gelu_tanh": lambda x, o: [F.gelu(x[0], approximate="tanh")],
    "silu": lambda x, o: [F.silu(x[0])],
    "softplus": lambda x, o: [F.softplus(x[0])],
    "hardswish": lambda x, o: [F.hardswish(x[0])],
    "add": lambda x, o: [x[0] + x[1]],
    "sub": lambda x, o: [x[0] - x[1]],
    "mul": lambda x, o: [x[0] * x[1]],
    "div": lambda x, o: [x[0] / x[1]],
    "equal": lambda x, o: [x[0] == x[1]],
    "greater": lambda x, o: [x[0] > x[1]],
    "less": lambda x, o: [x[0] < x[1]],
    "scalar_arithmetic": scalar_arithmetic,
    "cast": lambda x, o: [x[0].to(CAST_TARGETS[integer(o, "target")])],
    "expand": lambda x, o: [x[0].expand(integers(o, "shape"))],
    "where": lambda x, o: [torch.where(x[0].bool(), x[1], x[2])],
    "dropout": dropped,
    "drop_path": dropped,
    "channel_scale": lambda x, o: [x[0] * per_channel(x[1], x[0])],
    "channel_scale_add": lambda x, o: [x[0] * per_channel(x[1], x[0]) + x[2]],
    "channel_scale_add_relu": lambda x, o: [torch.relu(x[0] * per_channel(x[1], x[0]) + x[2])],
    "in_place": in_place,
    "concat": lambda x, o: [torch.cat(x, integer(o, "axis"))],
    "stack": lambda x, o: [torch.stack(x, integer(o, "axis"))],
    "pad": padded,
    "reshape": lambda x, o: [x[0].reshape(integers(o, "shape"))],
    "flatten": lambda x, o: [x[0].flatten(integer(o, "first"))],
    "squeeze": lambda x, o: [x[0].squeeze(integer(o, "axis"))],
    "unsqueeze": lambda x, o: [x[0].unsqueeze(integer(o, "axis"))],
    "slice": sliced,
    "chunk": lambda x, o: list(x[0].chunk(integer(o, "count"), integer(o, "axis"))),
    "transpose": lambda x, o: [x[0].transpose(*integers(o, "axes"))],
    "permute": lambda x, o: [x[0].permute(integers(o, "axes"))],
    "embedding": lambda x, o: [F.embedding(x[1], x[0])],
    "gather": lambda x, o: [torch.gather(x[0], integer(o, "axis"), x[1])],
    "sum": reduced(lambda t, axes, keep: t.sum(axes, keepdim=keep)),
    "mean": reduced(lambda t, axes, keep: t.mean(axes, keepdim=keep)),
    "max": reduced(largest),
    "var": variance,
    "argmax": lambda x, o: [x[0].argmax(integer(o, "axis"))],
    "softmax": lambda x, o: [x[0].softmax(integer(o, "axis"))],
    "log_softmax": lambda x, o: [x[0].log_softmax(integer(o, "axis"))],
    "cross_entropy": lambda x, o: [F.cross_entropy(x[0], x[1], label_smoothing=o["smoothing"][0])],
    "cross_entropy_soft": lambda x, o: [F.cross_entropy(x[0], x[1])],
    "mse": lambda x, o: [F.mse_loss(x[0], x[1])],
    "bce_with_logits": lambda x, o: [F.binary_cross_entropy_with_logits(x[0], x[1])],
    "global_avg_pool": lambda x, o: [x[0].reshape(x[0].shape[0], -1, x[0].shape[-1]).mean(1)],
    "linear": lambda x, o: [F.linear(x[0], x[1], x[2])],
    "gelu_linear": lambda x, o: [F.linear(
        F.gelu(x[0], approximate="tanh" if o["tanh"][0] else "none"), x[1], x[2])],
    "matmul": matrix_product,
    "scaled_dot_product_attention": attention,
    "packed_attention": packed_attention,
    "attention_weights": attention_weights,
    "batch_norm": batch_norm,
    "batch_norm_relu": batch_norm_relu,
    "bn_scale_add_relu": bn_scale_add_relu,
    "conv_batch_norm_relu": conv_batch_norm_relu,
    "conv_bn_scale_add_relu": conv_bn_scale_add_relu,
    "group_norm": group_norm,
    "group_norm_silu_conv2d": group_norm_silu_conv2d,
    "layer_norm": lambda x, o: [F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2], o["epsilon"][0])],
    "layer_norm_linear": lambda x, o: [F.linear(
        F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2], o["epsilon"][0]), x[3], x[4])],
    "lstm_gates": lambda x, o: lstm_step(x[0], x[1], o),
    "dia_cell": dia_cell,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv2d_fast": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "upsample_nearest": upsample_nearest,
}
