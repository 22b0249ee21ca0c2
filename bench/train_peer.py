"""Trains timm's vision transformer of the size of vit-cifar on CIFAR-10 by the settings of
recipes/cifar10-vit-quick.toml, for docs/results/vit.md: one line with the test accuracy per seed.

Usage: python3 train_peer.py FOLDER [--seeds 0,1,2] [--epochs 10] [--threads N]

FOLDER holds data_batch_*.bin and test_batch.bin. Needs `pip install torch timm numpy`.
"""
import argparse
import math
import pathlib
import sys

import numpy
import torch
from torch.nn import functional as F

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests/parity"))
from reference_vit import timm_vit  # noqa: E402

BATCH, RATE, DECAY, SMOOTHING, BORDER, WARMUP_EPOCHS = 128, 1e-3, 0.05, 0.1, 4, 1


def read(files):
    records = numpy.concatenate([numpy.fromfile(f, numpy.uint8).reshape(-1, 3073) for f in files])
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
    return images, torch.from_numpy(records[:, 0].astype(numpy.int64))


def augmented(images, generator):
    """A crop of the image with a black border, and a flip, of each image."""
    count = len(images)
    padded = F.pad(images, (BORDER,) * 4)
    places = torch.randint(0, 2 * BORDER + 1, (count, 2), generator=generator)
    flips = torch.rand(count, generator=generator) < 0.5
    crops = [padded[i, :, y:y + 32, x:x + 32] for i, (y, x) in enumerate(places.tolist())]
    return torch.stack([crop.flip(-1) if flip else crop for crop, flip in zip(crops, flips)])


def optimizer_of(model):
    def decays(name, parameter):
        return parameter.ndim > 1 and name not in ("pos_embed", "cls_token")
    groups = [[p for n, p in model.named_parameters() if decays(n, p) is wanted]
              for wanted in (True, False)]
    return torch.optim.AdamW([{"params": groups[0], "weight_decay": DECAY},
                              {"params": groups[1], "weight_decay": 0.0}], lr=RATE, fused=True)


def rate_at(step, warmup, steps):
    if step < warmup:
        return RATE * (step + 1) / warmup
    return RATE / 2 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def train(data, test, seed, epochs):
    images, labels = data
    mean = images.mean((0, 2, 3)).view(3, 1, 1)
    deviation = images.std((0, 2, 3)).view(3, 1, 1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = timm_vit(32, 10)
    optimizer = optimizer_of(model)
    per_epoch = math.ceil(len(images) / BATCH)
    step = 0
    for _ in range(epochs):
        model.train()
        for indices in torch.randperm(len(images), generator=generator).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, WARMUP_EPOCHS * per_epoch, epochs * per_epoch)
            x = (augmented(images[indices], generator) - mean) / deviation
            loss = F.cross_entropy(model(x), labels[indices], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    model.eval()
    with torch.no_grad():
        right = sum((model((x - mean) / deviation).argmax(1) == y).sum().item()
                    for x, y in zip(test[0].split(500), test[1].split(500)))
    return right / len(test[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = read(sorted(arguments.folder.glob("data_batch_*.bin")))
    test = read([arguments.folder / "test_batch.bin"])
    for seed in map(int, arguments.seeds.split(",")):
        accuracy = train(data, test, seed, arguments.epochs)
        print(f"seed {seed}: {100 * accuracy:.2f} % of {len(test[1])} test images", flush=True)


if __name__ == "__main__":
    main()
