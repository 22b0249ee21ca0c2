"""The U-net of diffusion with shared attention in PyTorch, and diffusers' without, for the parity
test and replay_unet.py.

Contract. `UNet` is written from Ho et al. (NeurIPS 2020, appendix B) and shares no code with
diffusers; the names of its weights are those of diffusers' UNet2DModel, so that one formula fills
both. Attention units belong to a block, to a level of a path (stage) or to a width (network); each
forward starts with empty states. `diffusers_unet` is diffusers' class of the same options.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from reference_nets import ATTENTION

DEFAULTS = {"base": 32, "mult": (1, 2, 2, 2), "blocks": 2, "groups": 0, "attn": (16,), "heads": 1,
            "classes": 0, "eps": 1e-5, "down_padding": "symmetric", "time": "sin-cos",
            "freq_shift": 1}
PLANTS = ("time", "attention", "norm")


def completed(options):
    o = DEFAULTS | options
    o["groups"] = o["groups"] or (32 if o["base"] >= 64 else o["base"] // 4)
    return o


def time_features(times, width, cos_first=False, freq_shift=1):
    """In f64, whatever the net computes in: diffusers' are f32, which is far from 1e-12."""
    half = width // 2
    rates = torch.exp(-math.log(10000.0) / (half - freq_shift)
                      * torch.arange(half, dtype=torch.float64, device=times.device))
    angles = times.double()[:, None] * rates
    halves = [torch.sin(angles), torch.cos(angles)]
    return torch.cat(halves[::-1] if cos_first else halves, dim=1)


class GroupNorm(nn.GroupNorm):
    """`without_statistics` leaves out their part of the gradient, a fault planted on purpose."""
    without_statistics = False

    def forward(self, x):
        if not self.without_statistics:
            return super().forward(x)
        groups = x.unflatten(1, (self.num_groups, -1)).flatten(2)
        mean = groups.mean(2, keepdim=True).detach()
        rstd = torch.rsqrt(groups.var(2, correction=0, keepdim=True) + self.eps).detach()
        shape = (1, -1) + (1,) * (x.dim() - 2)
        normal = ((groups - mean) * rstd).reshape(x.shape)
        return normal * self.weight.view(shape) + self.bias.view(shape)


class Block(nn.Module):
    """`rescale(branch)` is applied to the finished branch before it is added."""

    def __init__(self, c_in, c_out, time_width, groups, eps):
        super().__init__()
        self.norm1 = GroupNorm(groups, c_in, eps)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, c_out)
        self.norm2 = GroupNorm(groups, c_out, eps)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x, time, rescale):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(time)[:, :, None, None]
        return self.conv_shortcut(x) + rescale(self.conv2(F.silu(self.norm2(h))))


class SelfAttention(nn.Module):
    def __init__(self, channels, heads, groups, eps):
        super().__init__()
        self.heads, self.is_detached = heads, False
        self.group_norm = GroupNorm(groups, channels, eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        batch, channels, height, width = x.shape
        tokens = self.group_norm(x.flatten(2)).transpose(1, 2)
        q, k, v = (layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for layer in (self.to_q, self.to_k, self.to_v))
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
        y = self.to_out[0]((weights @ v).transpose(1, 2).flatten(2))
        y = y.transpose(1, 2).reshape(x.shape)
        return x + (y.detach() if self.is_detached else y)


class Resample(nn.Module):
    """Half or twice the size."""

    def __init__(self, channels, kind):
        super().__init__()
        stride, padding = {"symmetric": (2, 1), "asymmetric": (2, 0), "up": (1, 1)}[kind]
        self.kind, self.conv = kind, nn.Conv2d(channels, channels, 3, stride, padding)

    def forward(self, x):
        if self.kind == "up":
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        elif self.kind == "asymmetric":
            x = F.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class Level(nn.Module):
    """One level of one path: blocks, each with self-attention behind it where it `attends`."""

    def __init__(self, inputs, width, attends, resample, o):
        super().__init__()
        groups, eps = o["groups"], o["eps"]
        self.width = width
        self.resnets = nn.ModuleList(Block(c, width, 4 * o["base"], groups, eps) for c in inputs)
        self.attentions = nn.ModuleList(
            SelfAttention(width, o["heads"], groups, eps) for _ in range(attends))
        layers = nn.ModuleList([Resample(width, resample)] if resample else [])
        self.add_module("upsamplers" if resample == "up" else "downsamplers", layers)
        self.resamplers = tuple(layers)  # not as modules, which would have a second name

    def resample(self, x):
        for layer in self.resamplers:
            x = layer(x)
        return x


class TimeEmbedding(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class UNet(nn.Module):
    """`forward(images, times, classes)`; classes in [0, K], K meaning none, of a net with K > 0."""

    def __init__(self, image, attention="none", sharing="network", **options):
        super().__init__()
        self.o = o = completed(options)
        base, widths, last = o["base"], [o["base"] * m for m in o["mult"]], len(o["mult"]) - 1
        attends = [image >> level in o["attn"] for level in range(last + 1)]
        self.conv_in = nn.Conv2d(3, base, 3, padding=1)
        self.time_embedding = TimeEmbedding(base, 4 * base)
        self.class_embedding = nn.Embedding(o["classes"] + 1, 4 * base) if o["classes"] else None
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        channels, skips = base, [base]
        for i, width in enumerate(widths):
            inputs = [channels] + [width] * (o["blocks"] - 1)
            down = o["down_padding"] if i < last else None
            self.down_blocks.append(Level(inputs, width, attends[i] * o["blocks"], down, o))
            channels = width
            skips += [width] * (o["blocks"] + (i < last))
        self.mid_block = Level([channels] * 2, channels, 1, None, o)
        for i, width in reversed(list(enumerate(widths))):
            inputs = []
            for _ in range(o["blocks"] + 1):
                inputs.append(channels + skips.pop())
                channels = width
            up = "up" if i > 0 else None
            self.up_blocks.append(Level(inputs, width, attends[i] * len(inputs), up, o))
        self.conv_norm_out = GroupNorm(o["groups"], base, o["eps"])
        self.conv_out = nn.Conv2d(base, 3, 3, padding=1)
        self.time_is_detached, self.sharing = False, sharing
        self.add_units(ATTENTION[attention])

    def levels(self):
        return [*self.down_blocks, self.mid_block, *self.up_blocks]

    def add_units(self, unit):
        if unit is None:
            return
        if self.sharing == "network":
            widths = sorted({level.width for level in self.levels()})
            self.attention = nn.ModuleDict({str(width): unit(width) for width in widths})
        for level in self.levels():
            if self.sharing == "stage":
                level.attention = unit(level.width)
            for block in level.resnets if self.sharing == "block" else ():
                block.attention = unit(level.width)

    def rescaler(self, level, block, states):
        """What a block applies to its branch; `states` holds those of the units of this forward."""
        if self.sharing == "network":
            units = getattr(self, "attention", None)
            unit = units[str(level.width)] if units else None
        else:
            unit = getattr(level if self.sharing == "stage" else block, "attention", None)
        if unit is None:
            return lambda branch: branch

        def rescale(branch):
            scale, states[unit] = unit(branch.mean(dim=(2, 3)), states.get(unit))
            return branch * scale[:, :, None, None]
        return rescale

    def plant(self, fault):
        """Leaves out the gradient of one part, to see that a comparison notices it."""
        assert fault in PLANTS, fault
        self.time_is_detached |= fault == "time"
        for module in self.modules():
            if isinstance(module, SelfAttention):
                module.is_detached |= fault == "attention"
            if isinstance(module, GroupNorm):
                module.without_statistics |= fault == "norm"

    def embedding(self, times, classes):
        o = self.o
        features = time_features(times, o["base"], o["time"] == "cos-sin", o["freq_shift"])
        time = self.time_embedding(features.to(self.conv_in.weight.dtype))
        if self.class_embedding is not None:
            time = time + self.class_embedding(classes)
        return F.silu(time.detach() if self.time_is_detached else time)

    def forward(self, images, times, classes=None):
        time, states = self.embedding(times, classes), {}

        def run(level, x, i):
            block = level.resnets[i]
            x = block(x, time, self.rescaler(level, block, states))
            return level.attentions[i](x) if i < len(level.attentions) else x

        x = self.conv_in(images)
        skips = [x]
        for number, level in enumerate(self.down_blocks):
            for i in range(len(level.resnets)):
                x = run(level, x, i)
                skips.append(x)
            if number + 1 < len(self.down_blocks):
                x = level.resample(x)
                skips.append(x)
        for i in range(2):
            x = run(self.mid_block, x, i)
        for level in self.up_blocks:
            for i in range(len(level.resnets)):
                x = run(level, torch.cat((x, skips.pop()), dim=1), i)
            x = level.resample(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


def diffusers_config(image, **options):
    """The arguments of diffusers' UNet2DModel. One head is attention_head_dim=None; diffusers fixes
    the width of a head instead of their number, so with more of them the levels with self-attention
    must have one width, which is that of the middle."""
    o = completed(options)
    attends = [image >> level in o["attn"] for level in range(len(o["mult"]))]
    widths = [o["base"] * m for m in o["mult"]]
    return {"sample_size": image, "block_out_channels": tuple(widths),
            "layers_per_block": o["blocks"], "norm_num_groups": o["groups"], "norm_eps": o["eps"],
            "down_block_types": tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            "up_block_types": tuple("AttnUpBlock2D" if a else "UpBlock2D"
                                    for a in reversed(attends)),
            "attention_head_dim": None if o["heads"] == 1 else widths[-1] // o["heads"],
            "flip_sin_to_cos": o["time"] == "cos-sin", "freq_shift": o["freq_shift"],
            "downsample_padding": 1 if o["down_padding"] == "symmetric" else 0,
            "num_class_embeds": o["classes"] + 1 if o["classes"] else None}


def diffusers_unet(image, **options):
    """Called as UNet is; its time features are f64, as above."""
    from diffusers import UNet2DModel
    from diffusers.models import embeddings
    from diffusers.utils import logging
    logging.set_verbosity_error()  # that f64 was not foreseen

    def features(timesteps, width, flip_sin_to_cos, downscale_freq_shift, scale=1):
        return scale * time_features(timesteps, width, flip_sin_to_cos, downscale_freq_shift)

    embeddings.get_timestep_embedding = features

    class Diffusers(UNet2DModel):
        def forward(self, images, times, classes=None):
            return super().forward(images, times, classes).sample

    return Diffusers(**diffusers_config(image, **options))
