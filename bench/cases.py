"""The cases of compare.py: nets with their batch and optimizer, the same on both sides."""
from typing import NamedTuple


class Bounds(NamedTuple):
    """What a case has to reach."""
    ratio: float  # images/s over those of PyTorch's fastest f32 mode, at least
    peak: float  # share of the measured multiply-add peak with AVX-512, at least
    memory: float  # peak memory over PyTorch's with contiguous tensors and libc malloc, at most


class Case(NamedTuple):
    model: str
    attention: str
    batch: int
    width: int = 0  # channels of the first stage or level; 0: the model has no such option
    optimizer: str = "sgd"
    image: int = 32  # pixels of a side
    classes: int = 10
    bounds: Bounds | None = None

    @property
    def is_transformer(self):
        return self.model.startswith("vit")

    @property
    def is_denoiser(self):
        return self.model == "unet"

    def diagrad_arguments(self):
        """Of `diagrad bench`, which knows the image size of each model."""
        option = "base" if self.is_denoiser else "width"
        width = ["--model-opt", f"{option}={self.width}"] if self.width else []
        arguments = ["--model", self.model, *width, "--attention", self.attention,
                     "--batch", str(self.batch)]
        if self.is_denoiser:
            arguments += ["--task", "denoise"]
        if self.optimizer != "sgd":
            arguments += ["--optimizer", self.optimizer]
        if self.classes != 10:
            arguments += ["--classes", str(self.classes)]
        return arguments

    def peer_arguments(self):
        """Of peer.py and peer_jax.py."""
        width = ["--width", str(self.width)] if self.width else []
        return ["--model", self.model, "--attention", self.attention, *width,
                "--batch", str(self.batch), "--optimizer", self.optimizer,
                "--image", str(self.image), "--classes", str(self.classes)]


VIT_CIFAR = Bounds(ratio=2.0, peak=0.60, memory=0.75)
VIT_TINY = Bounds(ratio=1.8, peak=0.60, memory=0.75)
UNET = Bounds(ratio=1.8, peak=1.0, memory=0.75)

CASES = {
    "resnet20": Case("resnet20", "none", 128, width=16),
    "resnet20-dia": Case("resnet20", "dia-lstm", 128, width=16),
    "resnet20x4-dia": Case("resnet20", "dia-lstm", 64, width=64),
    "resnet56-dia": Case("resnet56", "dia-lstm", 128, width=16),
    "resnet164": Case("resnet164", "none", 64, width=16),
    "resnet164-dia": Case("resnet164", "dia-lstm", 64, width=16),
    "vit-cifar": Case("vit-cifar", "none", 128, optimizer="adamw", bounds=VIT_CIFAR),
    "vit-cifar-dia": Case("vit-cifar", "dia-lstm", 128, optimizer="adamw", bounds=VIT_CIFAR),
    "vit-tiny": Case("vit-tiny-patch16-224", "none", 8, optimizer="adamw", image=224,
                     classes=1000, bounds=VIT_TINY),
    "unet": Case("unet", "none", 16, width=64, optimizer="adamw", bounds=UNET),
    "unet-dia": Case("unet", "dia-lstm", 16, width=64, optimizer="adamw", bounds=UNET),
}
