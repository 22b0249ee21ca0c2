#!/usr/bin/env python3
"""Trains a U-net in PyTorch on the weights, images, times and noise of our own training, and
compares the losses.

    replay_unet.py weights FILE                 the weights of the formulas, none of which is zero
    build/release/tests/denoise_peer steps FOLDER init=FILE max-steps=20 ...    (or grid)
    replay_unet.py losses FOLDER [--plant time|attention|norm]
    replay_unet.py grid FOLDER                  the loss over the grid after the last step, too

Contract. FOLDER holds what denoise_peer wrote (tests/tools/denoise_peer.cpp); learning rates are
read from it, the rest of the optimizer from the arguments, which must be those of the run. Exit
code 1 where a loss differs by more than --bound, relative to it. With --plant one part of the net
has no gradient, and losses must differ by more than ten times the bound. README.md has a session.
"""
import argparse
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from reference_nets import fill
from reference_unet import PLANTS, UNet, diffusers_unet

SCHEDULE_STEPS = 1000


def alpha_bars():
    """Of the linear schedule."""
    return torch.cumprod(1.0 - torch.linspace(1e-4, 0.02, SCHEDULE_STEPS, dtype=torch.float64), 0)


def read(path):
    """Tensors in PyTorch's layout."""
    return {name: tensor.permute(0, 3, 1, 2).contiguous() if tensor.dim() == 4 else tensor
            for name, tensor in load_file(path).items()}


def loss_of(net, record, levels):
    """The mean squared error of the predicted noise."""
    image, noise, time = record["image"], record["noise"], record["time"]
    a = levels[time][:, None, None, None]
    noisy = image * a.sqrt().to(image.dtype) + noise * (1.0 - a).sqrt().to(image.dtype)
    return F.mse_loss(net(noisy, time, record.get("class_label")), noise)


class Average:
    """The exponential moving average of train/optim/ema.h."""

    def __init__(self, net, decay):
        self.values = {n: p.detach().clone() for n, p in net.named_parameters()}
        self.decay = decay

    @torch.no_grad()
    def update(self, net, step):
        decay = min(self.decay, step / (step + 9.0))
        for n, p in net.named_parameters():
            self.values[n].lerp_(p, 1.0 - decay)


def train(net, folder, args):
    """The largest relative difference of a loss, and the average of the weights."""
    levels, average, worst = alpha_bars(), Average(net, args.ema), 0.0
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.0, weight_decay=0.0)
    for step, path in enumerate(sorted(folder.glob("step-*.safetensors")), 1):
        record = read(path)
        for group in optimizer.param_groups:
            group["lr"] = record["lr"].item()
        loss = loss_of(net, record, levels)
        optimizer.zero_grad()
        loss.backward()
        if args.clip > 0.0:
            torch.nn.utils.clip_grad_norm_(net.parameters(), args.clip)
        optimizer.step()
        average.update(net, step)
        ours, theirs = record["loss"].item(), loss.item()
        difference = abs(ours / theirs - 1.0)
        if step <= args.first:
            worst = max(worst, difference)
        if args.verbose:
            print(f"step {step}: ours {ours:.9f}, PyTorch's {theirs:.9f}, off by {difference:.2e}",
                  flush=True)
    return worst, average


@torch.no_grad()
def grid_loss(net, folder, batch):
    levels, images = alpha_bars(), read(folder / "grid-images.safetensors")
    files, total = sorted(folder.glob("grid-[0-9]*.safetensors")), 0.0
    for path in files:
        record = read(path)
        for first in range(0, len(images["image"]), batch):
            part = {name: tensor[first:first + batch] for name, tensor in images.items()}
            part["noise"] = record["noise"][first:first + batch]
            part["time"] = record["time"].expand(len(part["noise"]))
            total += loss_of(net, part, levels).item() * len(part["noise"])
    return total / (len(images["image"]) * len(files))


def compare_grid(net, average, args):
    ours = load_file(args.folder / "grid-loss.safetensors")
    theirs = {"raw": grid_loss(net, args.folder, args.grid_batch)}
    net.load_state_dict(average.values)
    theirs["ema"] = grid_loss(net, args.folder, args.grid_batch)
    for name, value in ours.items():
        print(f"grid, {name}: ours {value.item():.6f}, PyTorch's {theirs[name]:.6f}, "
              f"ratio {value.item() / theirs[name]:.5f}")


def make_net(args):
    options = {"base": args.base, "classes": args.classes}
    if args.diffusers:
        return diffusers_unet(args.image, **options)
    return UNet(args.image, args.attention, args.sharing, **options)


def replay(args):
    net = make_net(args)
    net.load_state_dict(read(args.folder / "weights.safetensors"))
    if args.plant:
        net.plant(args.plant)
    worst, average = train(net, args.folder, args)
    planted = f", {args.plant} planted" if args.plant else ""
    print(f"largest difference of {args.first} losses{planted}: {worst:.2e}")
    if args.command == "grid":
        compare_grid(net, average, args)
    good = worst > 10.0 * args.bound if args.plant else worst <= args.bound
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("weights", "losses", "grid"))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--base", type=int, default=32)
    parser.add_argument("--image", type=int, default=32)
    parser.add_argument("--classes", type=int, default=0)
    parser.add_argument("--attention", default="none")
    parser.add_argument("--sharing", default="network")
    parser.add_argument("--diffusers", action="store_true", help="instead of the independent net")
    parser.add_argument("--clip", type=float, default=0.0, help="of the norm of the gradient")
    parser.add_argument("--ema", type=float, default=0.9999, help="decay of the moving average")
    parser.add_argument("--plant", choices=PLANTS)
    parser.add_argument("--first", type=int, default=20, help="losses that are compared")
    parser.add_argument("--bound", type=float, default=3e-6)
    parser.add_argument("--grid-batch", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--verbose", action="store_true", help="print every loss")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.command == "weights":
        state = fill(make_net(args).double()).state_dict()
        save_file({n: t.float().contiguous() for n, t in state.items()}, args.folder)
        return 0
    return replay(args)


if __name__ == "__main__":
    sys.exit(main())
