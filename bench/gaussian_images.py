#!/usr/bin/env python3
"""Images of a normal distribution with the mean and covariance of the pixels of CIFAR-10's training images.

They have the colours of the set and none of its shapes: a Frechet distance of generated images is read beside theirs
(docs/notes/quality.md). Needs NumPy.

    python bench/gaussian_images.py cifar-10-batches-bin gaussian.npz --count 512 --seed 0
"""
import argparse
import pathlib

import numpy


def training_pixels(folder):
    """[N,3072], channels last, in f64."""
    files = sorted(pathlib.Path(folder).glob("data_batch_*.bin"))
    if not files:
        raise SystemExit(f"gaussian_images: {folder} has no data_batch_*.bin")
    records = numpy.concatenate([numpy.fromfile(file, "u1").reshape(-1, 3073) for file in files])
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1).reshape(len(records), -1).astype("f8")


def gaussian_images(pixels, count, seed):
    """u8 [count,32,32,3], rounded and clipped."""
    mean = pixels.mean(axis=0)
    values, vectors = numpy.linalg.eigh(numpy.cov(pixels, rowvar=False))
    noise = numpy.random.default_rng(seed).standard_normal((count, len(mean)))
    images = mean + (noise * numpy.sqrt(values.clip(0.0))) @ vectors.T
    return images.round().clip(0, 255).astype("u1").reshape(count, 32, 32, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the binary version of CIFAR-10")
    parser.add_argument("out", help="the .npz file to write")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pixels = training_pixels(arguments.folder)
    numpy.savez(arguments.out, images=gaussian_images(pixels, arguments.count, arguments.seed))


if __name__ == "__main__":
    main()
