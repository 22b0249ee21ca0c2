"""The models of the parity test: their settings, networks and optimizers.

Contract. `settings(name)` is what a golden file states about a model, with the name and options
that our program has for it; `build(name)` is the network, filled by the formulas.
"""
from functools import partial

import torch

from reference_nets import ResNet, fill
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


def resnet(depth, attention, sharing):
    training = RESNET_TRAINING[depth] | SGD
    make = partial(ResNet, depth, training["classes"], attention, sharing)
    return {"network": f"resnet{depth}", "options": {}, "image": 32, "depth": depth,
            "attention": attention, "sharing": sharing} | training, make


def spelled(options):
    """Options as --model-opt takes them."""
    return {k.replace("_", "-"): str(v).lower() for k, v in options.items()}


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
}
# The independent ViT of the models that are timm's.
TWINS = {"vit-cifar": partial(VisionTransformer, 32, 10),
         "vit-cifar-layer-scale": partial(VisionTransformer, 32, 10, layer_scale=0.1),
         "vit-cifar-avg": partial(VisionTransformer, 32, 10, pool="avg", class_token=False),
         "vit-small-avg-class-token": partial(VisionTransformer, 32, 10, pool="avg",
                                              qkv_bias=True, **SMALL),
         "vit-tiny-patch16-224": partial(VisionTransformer, 224, 1000, **TINY_PATCH16)}


def settings(name):
    return {"model": name} | MODELS[name][0]


def build(name, dtype=torch.float64, make=None):
    """`make` stands in for the model's own network."""
    return fill((make or MODELS[name][1])().double()).to(dtype)


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
