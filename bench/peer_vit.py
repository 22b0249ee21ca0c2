"""Vision transformers of the comparison in PyTorch, with the operations that a careful user takes:
one product for queries, keys and values, and PyTorch's own scaled_dot_product_attention."""
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


class Size(NamedTuple):
    patch: int
    width: int
    depth: int
    heads: int
    hidden: int  # width of the feed-forward branch
    qkv_bias: bool


SIZES = {"vit-cifar": Size(4, 192, 9, 12, 384, False),
         "vit-tiny-patch16-224": Size(16, 192, 12, 3, 768, True)}


class EncoderBlock(nn.Module):
    """Pre-norm. A shared attention unit rescales the channels of the feed-forward branch."""

    def __init__(self, size):
        super().__init__()
        self.heads = size.heads
        self.norm1 = nn.LayerNorm(size.width, eps=1e-6)
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=size.qkv_bias)
        self.proj = nn.Linear(size.width, size.width)
        self.norm2 = nn.LayerNorm(size.width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(size.width, size.hidden), nn.GELU(),
                                 nn.Linear(size.hidden, size.width))

    def attend(self, x):
        images, tokens, width = x.shape
        split = self.qkv(x).view(images, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(images, tokens, width))

    def forward(self, x, unit, state):
        x = x + self.attend(self.norm1(x))
        branch = self.mlp(self.norm2(x))
        if unit is not None:
            scale, state = unit(branch.mean(dim=1), state)
            branch = branch * scale.unsqueeze(1)
        return x + branch, state


class ViT(nn.Module):
    """`attention` makes a unit for a number of channels, which all blocks share, or is None."""

    def __init__(self, size, image, classes, attention=None):
        super().__init__()
        tokens = (image // size.patch) ** 2 + 1
        self.patches = nn.Conv2d(3, size.width, size.patch, stride=size.patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, tokens, size.width))
        self.blocks = nn.ModuleList(EncoderBlock(size) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)
        self.head = nn.Linear(size.width, classes)
        self.attention = attention(size.width) if attention else None

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        state = None
        for block in self.blocks:
            x, state = block(x, self.attention, state)
        return self.head(self.norm(x)[:, 0])
