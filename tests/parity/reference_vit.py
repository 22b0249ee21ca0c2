"""A vision transformer with shared attention in PyTorch, and timm's without, for the parity test.

Contract. `VisionTransformer` is written from the papers (Dosovitskiy et al., ICLR 2021; Huang et
al., arXiv 2210.16101) and shares no code with timm; the names of its weights are timm's, so that
one formula fills both. Its attention unit serves every block, as `attention.*`, and each forward
starts with an empty state. `timm_vit` is timm's class of the same options.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from reference_nets import ATTENTION

EPSILON = 1e-6
DEFAULTS = {"patch": 4, "dim": 192, "depth": 9, "heads": 12, "mlp_ratio": 2.0, "qkv_bias": False,
            "class_token": True, "pool": "class", "layer_scale": 0.0}
TINY_PATCH16 = {"patch": 16, "dim": 192, "depth": 12, "heads": 3, "mlp_ratio": 4.0,
                "qkv_bias": True}


class SelfAttention(nn.Module):
    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=bias), nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        width = dim // self.heads
        q, k, v = (part.reshape(batch, tokens, self.heads, width).transpose(1, 2)
                   for part in self.qkv(x).split(dim, dim=-1))
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(width), dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, dim, value):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), value))

    def forward(self, x):
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm; `rescale(branch, name)` is applied to each finished branch before it is added."""

    def __init__(self, dim, heads, mlp_ratio, qkv_bias, layer_scale):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, EPSILON), nn.LayerNorm(dim, EPSILON)
        self.attn, self.mlp = SelfAttention(dim, heads, qkv_bias), Mlp(dim, int(dim * mlp_ratio))
        scales = [LayerScale(dim, layer_scale) if layer_scale else nn.Identity() for _ in range(2)]
        self.ls1, self.ls2 = scales

    def forward(self, x, rescale):
        x = x + rescale(self.ls1(self.attn(self.norm1(x))), "attn")
        return x + rescale(self.ls2(self.mlp(self.norm2(x))), "ffn")


class PatchEmbed(nn.Module):
    def __init__(self, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """`attention` is a variant of ATTENTION with `at` (ffn, attn, both: self-attention first) and
    `attention_pool` (all, patches, class), the tokens whose mean the unit reads. All tokens are
    rescaled."""

    def __init__(self, image, classes, attention="none", at="ffn", attention_pool="all", **options):
        super().__init__()
        o = DEFAULTS | options
        dim, self.pool, self.at, self.attention_pool = o["dim"], o["pool"], at, attention_pool
        self.prefix = 1 if o["class_token"] else 0
        patches = (image // o["patch"]) ** 2
        if self.prefix:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.prefix + patches, dim))
        self.patch_embed = PatchEmbed(o["patch"], dim)
        self.blocks = nn.ModuleList(
            Block(dim, o["heads"], o["mlp_ratio"], o["qkv_bias"], o["layer_scale"])
            for _ in range(o["depth"]))
        norm = nn.LayerNorm(dim, EPSILON)
        self.add_module("fc_norm" if self.pool == "avg" else "norm", norm)
        self.head = nn.Linear(dim, classes)
        if ATTENTION[attention]:
            self.attention = ATTENTION[attention](dim)

    def read(self, branch):
        """What the unit sees of a branch [B,T,D]: [B,D]."""
        if self.attention_pool == "class":
            return branch[:, 0]
        return branch[:, self.prefix if self.attention_pool == "patches" else 0:].mean(dim=1)

    def forward(self, images):
        x = self.patch_embed(images)
        if self.prefix:
            x = torch.cat((self.cls_token.expand(len(x), 1, -1), x), dim=1)
        x, state = x + self.pos_embed, None

        def rescale(branch, name):
            nonlocal state
            if not hasattr(self, "attention") or self.at not in (name, "both"):
                return branch
            scale, state = self.attention(self.read(branch), state)
            return branch * scale[:, None, :]

        for block in self.blocks:
            x = block(x, rescale)
        if self.pool == "avg":
            return self.head(self.fc_norm(x[:, self.prefix:].mean(dim=1)))
        return self.head(self.norm(x)[:, 0])


def timm_vit(image, classes, **options):
    from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
    o = DEFAULTS | options
    return TimmVisionTransformer(
        img_size=image, patch_size=o["patch"], num_classes=classes, embed_dim=o["dim"],
        depth=o["depth"], num_heads=o["heads"], mlp_ratio=o["mlp_ratio"], qkv_bias=o["qkv_bias"],
        class_token=o["class_token"], init_values=o["layer_scale"] or None,
        global_pool="token" if o["pool"] == "class" else "avg")


def timm_vit_tiny(image, classes):
    import timm
    return timm.create_model("vit_tiny_patch16_224", img_size=image, num_classes=classes)
