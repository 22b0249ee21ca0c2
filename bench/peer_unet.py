"""The U-net of diffusion of the comparison in PyTorch, structured as diffusers' UNet2DModel, with the
operations that a careful user takes: one product for queries, keys and values, PyTorch's own
scaled_dot_product_attention, and silu of the time computed once."""
import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 1000  # of the noise schedule


class Size(NamedTuple):
    base: int
    mult: tuple
    blocks: int
    groups: int
    attended: int  # height of the levels with self-attention


SIZES = {"unet": Size(64, (1, 2, 2, 2), 2, 32, 16)}


class Block(nn.Module):
    """Normalise, SiLU, convolve, twice. A shared attention unit rescales the branch's channels."""

    def __init__(self, c_in, c_out, time_width, groups):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, c_in), nn.GroupNorm(groups, c_out)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.time = nn.Linear(time_width, c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x, time, units, states):
        branch = self.conv1(F.silu(self.norm1(x))) + self.time(time)[:, :, None, None]
        branch = self.conv2(F.silu(self.norm2(branch)))
        width = str(branch.shape[1])
        if units is not None:
            scale, states[width] = units[width](branch.mean(dim=(2, 3)), states.get(width))
            branch = branch * scale[:, :, None, None]
        return self.shortcut(x) + branch


class SelfAttention(nn.Module):
    """Over pixels, with one head."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x):
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens)[:, None].chunk(3, dim=-1)
        mixed = self.proj(F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + mixed.transpose(1, 2).reshape(x.shape)


class Stage(nn.Module):
    """The blocks of one level of one path."""

    def __init__(self, inputs, width, size, attended):
        super().__init__()
        self.blocks = nn.ModuleList(Block(c, width, 4 * size.base, size.groups) for c in inputs)
        self.attentions = nn.ModuleList(SelfAttention(width, size.groups) for _ in range(attended))


class UNet(nn.Module):
    """`attention` makes a unit for a number of channels, which all blocks of that width share, or
    is None. In training it gives its loss for images: it draws times and noise, as the task does."""

    def __init__(self, size, image, attention=None):
        super().__init__()
        base, widths = size.base, [size.base * m for m in size.mult]
        self.base, last = base, len(widths) - 1
        heights = [image >> level for level in range(len(widths))]
        self.time = nn.Sequential(nn.Linear(base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base))
        self.first = nn.Conv2d(3, base, 3, padding=1)
        self.down, self.halving, skips, channels = nn.ModuleList(), nn.ModuleList(), [base], base
        for level, width in enumerate(widths):
            inputs = [channels] + [width] * (size.blocks - 1)
            attended = size.blocks if heights[level] == size.attended else 0
            self.down.append(Stage(inputs, width, size, attended))
            skips += [width] * (size.blocks + (level < last))
            if level < last:
                self.halving.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
            channels = width
        self.mid = Stage([channels, channels], channels, size, 1)
        self.up, self.doubling = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            inputs = []
            for _ in range(size.blocks + 1):
                inputs.append(channels + skips.pop())
                channels = widths[level]
            attended = size.blocks + 1 if heights[level] == size.attended else 0
            self.up.append(Stage(inputs, channels, size, attended))
            if level > 0:
                self.doubling.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.norm, self.last = nn.GroupNorm(size.groups, base), nn.Conv2d(base, 3, 3, padding=1)
        self.units = attention and nn.ModuleDict({str(w): attention(w) for w in set(widths)})
        betas = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64)
        signal = torch.cumprod(1 - betas, 0)
        self.register_buffer("signal", signal.sqrt().float())
        self.register_buffer("noise", (1 - signal).sqrt().float())

    def run(self, stage, x, time, states, skips=None, kept=None):
        for i, block in enumerate(stage.blocks):
            if skips is not None:
                x = torch.cat([x, skips.pop()], dim=1)
            x = block(x, time, self.units, states)
            if i < len(stage.attentions):
                x = stage.attentions[i](x)
            if kept is not None:
                kept.append(x)
        return x

    def denoise(self, x, times):
        half = self.base // 2
        rates = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        angles = times[:, None].float() * rates
        time = F.silu(self.time(torch.cat([angles.sin(), angles.cos()], dim=1)))
        x = self.first(x)
        skips, states = [x], {}
        for level, stage in enumerate(self.down):
            x = self.run(stage, x, time, states, kept=skips)
            if level < len(self.halving):
                x = self.halving[level](x)
                skips.append(x)
        x = self.run(self.mid, x, time, states)
        for level, stage in enumerate(self.up):
            x = self.run(stage, x, time, states, skips)
            if level < len(self.doubling):
                x = self.doubling[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.last(F.silu(self.norm(x)))

    def forward(self, images):
        times = torch.randint(0, STEPS, (len(images),))
        noise = torch.randn_like(images)
        scale, spread = (table[times, None, None, None] for table in (self.signal, self.noise))
        return F.mse_loss(self.denoise(scale * images + spread * noise, times).float(), noise)
