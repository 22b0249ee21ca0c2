#!/usr/bin/env python3
"""Random weights made by diffusers, in the form of google/ddpm-cifar10-32, through our --init.

    published_unet.py --program build/release/tests/denoise_peer [--base 128]

Contract. diffusers makes a UNet2DModel of that configuration, gives it random weights and saves it;
denoise_peer reads the file as `diagrad train --init` does. The same with the names of diffusers'
first versions, which its own from_pretrained must take for the same weights. Outputs are computed
in f64 and must agree to 1e-12 of the largest. Exit code 1 where they do not.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

from reference_nets import diffusion_batch_of
from reference_unet import diffusers_unet

# Of the published configuration; widths follow from the base, self-attention is at 16 x 16.
FORM = {"groups": 32, "eps": 1e-6, "down_padding": "asymmetric"}
OUR_FORM = ["groups=32", "eps=1e-6", "down-padding=asymmetric"]
OLD_NAMES = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.",
             ".to_out.0.": ".proj_attn."}
BOUND = 1e-12


def old_name(name):
    for now, before in OLD_NAMES.items():
        name = name.replace(now, before)
    return name


def ours(program, weights, folder, base):
    options = ",".join([f"base={base}"] + OUR_FORM)
    subprocess.run([program, "call", folder, f"init={weights}",
                    "data=shapes:size=32,train=8,test=8",
                    f"model-opt={options}", "batch=1", "precision=f64"], check=True)
    output = load_file(folder / "outputs.safetensors")["output"]
    return output.permute(0, 3, 1, 2)


def save_old(new, folder):
    """The same weights as an early version of diffusers wrote them."""
    folder.mkdir()
    config = json.loads((new / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    state = load_file(new / "diffusion_pytorch_model.safetensors")
    path = folder / "diffusion_pytorch_model.safetensors"
    save_file({old_name(name): tensor for name, tensor in state.items()}, path, {"format": "pt"})
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--base", type=int, default=128)
    args = parser.parse_args()
    torch.manual_seed(0)
    net = diffusers_unet(32, base=args.base, **FORM)
    images, times, _, _ = diffusion_batch_of(0, 2, 0, 32)
    worst = 0.0
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        folder = pathlib.Path(name)
        net.save_pretrained(folder / "new")
        old = save_old(folder / "new", folder / "old")
        save_file({"image": images.permute(0, 2, 3, 1).contiguous(), "time": times.double()},
                  folder / "inputs.safetensors")
        theirs = type(net).from_pretrained(folder / "old").double()(images, times)
        want = net.double()(images, times)
        gap = ((theirs - want).abs().max() / want.abs().max()).item()
        print(f"old names in diffusers: {gap:.1e}")
        assert gap < BOUND, "diffusers does not take these old names"
        for path in (folder / "new/diffusion_pytorch_model.safetensors", old):
            got = ours(args.program, path, folder, args.base)
            error = ((got - want).abs().max() / want.abs().max()).item()
            print(f"{path.parent.name} names: largest difference over largest output {error:.1e}")
            worst = max(worst, error)
    return 0 if worst < BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
