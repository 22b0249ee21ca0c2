"""The models of the parity test: their settings, networks and optimizers.

Contract. `settings(name)` is what a golden file states about a model, with the name and options
that our program has for it; `build(name)` is the network, filled by the formulas.
"""
from functools import partial

import torch
from torch.nn import functional as F

from reference_nets import ResNet, batch_of, diffusion_batch_of, fill
from reference_unet import UNet, diffusers_unet
from reference_vit import TINY_PATCH16, VisionTransformer, timm_vit, timm_vit_tiny

# f32_batches are odd: a median over them is not moved by a few ReLUs that change side.
SGD = {"optimizer": "sgd:nesterov=false", "momentum": 0.9, "weight_decay": 1e-4, "f32_batches": 9}
ADAMW = {"optimizer": "adamw", "momentum": None, "weight_decay": 0.05}
RESNET_TRAINING = {20: {"classes": 10, "batch": 4, "steps": 10, "lr": 0.01},
                   164: {"classes": 100, "batch": 2, "steps": 5, "lr": 0.001}}
CIFAR_VIT = {"classes": 10, "batch": 2, "steps": 10, "lr": 1e-3, "f32_batches": 9}
IMAGENET_VIT = {"classes": 1000, "batch": 1, "steps": 10, "lr": 1e-3, "f32_batches": 3}
# Small enough that every placement can be seen with every pooling.
SMALL = {"dim": 48, "depth": 3, "heads": 6}
DIFFUSION = {"batch": 2, "steps": 10, "lr": 1e-3, "f32_batches": 9, "optimizer": "adamw",
             "momentum": None, "weight_decay": 0.0}
SMALL_UNET = {"mult": (1, 2, 2), "attn": (8,)}
SMALL_DIFFUSION = DIFFUSION | {"f32_batches": 27}  # their losses need more for a steady median
# google/ddpm-cifar10-32 but for its widths, 128 to 256.
PUBLISHED_UNET = {"base": 64, "groups": 32, "eps": 1e-6, "down_padding": "asymmetric", "attn": (8,)}


def resnet(depth, attention, sharing):
    training = RESNET_TRAINING[depth] | SGD
    make = partial(ResNet, depth, training["classes"], attention, sharing)
    return {"network": f"resnet{depth}", "options": {}, "image": 32, "depth": depth,
            "attention": attention, "sharing": sharing} | training, make


def spelled(options):
    """Options as --model-opt takes them."""
    def text(value):
        return "+".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
    return {k.replace("_", "-"): text(v) for k, v in options.items()}


def vit(make, **options):
    """A ViT for CIFAR without shared attention."""
    return {"network": "vit-cifar", "options": spelled(options), "image": 32,
            "depth": options.get("depth", 9), "attention": "none", "sharing": "",
            **CIFAR_VIT, **ADAMW}, partial(make, 32, CIFAR_VIT["classes"], **options)


def dia_vit(at, attention_pool, **options):
    """Our own ViT with DIA-LSTM at a placement, reading some of the tokens."""
    s, make = vit(VisionTransformer, **options)
    s["attention"] = f"dia-lstm:at={at},pool={attention_pool}"
    return s, partial(make, attention="dia-lstm", at=at,
                      attention_pool=attention_pool)


def tiny_vit():
    image = 224
    return {"network": "vit-tiny-patch16-224", "options": {}, "image": image, "depth": 12,
            "attention": "none", "sharing": "", **IMAGENET_VIT, **ADAMW}, partial(
                timm_vit_tiny, image, IMAGENET_VIT["classes"])


def unet(image, attention="none", sharing="", **options):
    """diffusers' U-net, or ours where it has shared attention."""
    o = {"base": 32} | options
    make = (partial(UNet, image, attention, sharing, **o) if attention != "none"
            else partial(diffusers_unet, image, **o))
    return {"network": "unet", "options": spelled(o), "image": image, "depth": 4,
            "attention": attention, "sharing": sharing, "classes": o.get("classes", 0),
            "task": "diffusion"} | (SMALL_DIFFUSION if "mult" in options else DIFFUSION), make


MODELS = {
    "resnet20-none": resnet(20, "none", "block"),
    "resnet20-dia-lstm": resnet(20, "dia-lstm", "stage"),
    "resnet20-dia-lstm-cells2": resnet(20, "dia-lstm:cells=2,dropout=0", "stage"),
    "resnet20-dia-lstm-tanh": resnet(20, "dia-lstm:output=tanh", "stage"),
    "resnet20-se-block": resnet(20, "se", "block"),
    "resnet20-se-stage": resnet(20, "se", "stage"),
    "resnet20-eca-block": resnet(20, "eca", "block"),
    "resnet164-none": resnet(164, "none", "block"),
    "resnet164-dia-lstm": resnet(164, "dia-lstm", "stage"),
    "vit-cifar": vit(timm_vit),
    "vit-cifar-layer-scale": vit(timm_vit, layer_scale=0.1),
    "vit-cifar-avg": vit(timm_vit, pool="avg", class_token=False),
    "vit-small-avg-class-token": vit(timm_vit, pool="avg", qkv_bias=True, **SMALL),
    "vit-tiny-patch16-224": tiny_vit(),
    "vit-cifar-dia-lstm": dia_vit("ffn", "all"),
    **{f"vit-small-dia-lstm-{at}-{pool}": dia_vit(at, pool, **SMALL)
       for at in ("ffn", "attn", "both") for pool in ("all", "patches", "class")},
    "vit-small-avg-dia-lstm": dia_vit("both", "all", pool="avg", class_token=False,
                                      layer_scale=0.1, **SMALL),
    "unet-base32": unet(32),
    "unet-small-class": unet(16, classes=3, **SMALL_UNET),
    "unet-small-heads": unet(16, heads=2, time="cos-sin", freq_shift=0, blocks=1, **SMALL_UNET),
    "unet-published": unet(16, **PUBLISHED_UNET),
    "unet-small-dia-lstm-network": unet(16, "dia-lstm", "network", **SMALL_UNET),
    "unet-small-dia-lstm-stage": unet(16, "dia-lstm", "stage", **SMALL_UNET),
    "unet-small-se-block": unet(16, "se", "block", **SMALL_UNET),
    "unet-small-class-dia-lstm": unet(16, "dia-lstm", "network", classes=3, **SMALL_UNET),
}
# The independent net of the models that are timm's or diffusers'.
TWINS = {"vit-cifar": partial(VisionTransformer, 32, 10),
         "vit-cifar-layer-scale": partial(VisionTransformer, 32, 10, layer_scale=0.1),
         "vit-cifar-avg": partial(VisionTransformer, 32, 10, pool="avg", class_token=False),
         "vit-small-avg-class-token": partial(VisionTransformer, 32, 10, pool="avg",
                                              qkv_bias=True, **SMALL),
         "vit-tiny-patch16-224": partial(VisionTransformer, 224, 1000, **TINY_PATCH16),
         "unet-base32": partial(UNet, 32),
         "unet-small-class": partial(UNet, 16, classes=3, **SMALL_UNET),
         "unet-small-heads": partial(UNet, 16, heads=2, time="cos-sin", freq_shift=0, blocks=1,
                                     **SMALL_UNET),
         "unet-published": partial(UNet, 16, **PUBLISHED_UNET)}


def settings(name):
    return {"model": name} | MODELS[name][0]


def build(name, dtype=torch.float64, make=None):
    """`make` stands in for the model's own network."""
    return fill((make or MODELS[name][1])().double()).to(dtype)


class Example:
    """Step `step` of a model: what it is called with, and the loss of its output."""

    def __init__(self, s, step, dtype=torch.float64, order=None, layout=torch.contiguous_format):
        """`order` permutes the images, `layout` is their memory format."""
        is_diffusion = s.get("task") == "diffusion"
        draw = diffusion_batch_of if is_diffusion else batch_of
        parts = draw(step, s["batch"], s["classes"], s["image"])
        order = torch.arange(s["batch"]) if order is None else order
        self.images, *more = [None if part is None else part[order] for part in parts]
        self.images = self.images.to(dtype).contiguous(memory_format=layout)
        self.target, self.more = more[-1], more[:-1]
        self.criterion = F.mse_loss if is_diffusion else F.cross_entropy
        if is_diffusion:
            self.target = self.target.to(dtype)

    def call(self, net):
        return net(self.images, *self.more)

    def loss(self, output):
        return self.criterion(output, self.target)


def decays(name, parameter):
    """timm's rule: neither norms, biases and factors nor positions and tokens."""
    return parameter.dim() > 1 and name not in ("pos_embed", "cls_token")


def make_optimizer(net, s):
    if s["optimizer"].startswith("sgd"):
        return torch.optim.SGD(net.parameters(), s["lr"], s["momentum"],
                               weight_decay=s["weight_decay"])
    groups = [{"params": [p for n, p in net.named_parameters() if decays(n, p) == decay],
               "weight_decay": s["weight_decay"] if decay else 0.0} for decay in (True, False)]
    return torch.optim.AdamW(groups, s["lr"])
