"""What a 3x3 convolution in fast mode may be off by: Winograd's tiles of 4 x 4 outputs.

error <= C * eps * (max|x| of the tile * sum|w| + |bias|): the largest value of the 6 x 6 pixels that
the output's tile reads, and the sum over the filter of the output channel. The gradient of x is
such a convolution of the gradient dy; that of w adds over the tiles max|x| * sum|dy|.
"""
import torch
import torch.nn.functional as F

C = 120.0  # of ops/cpu/conv/winograd.h, where the bound is stated
EPSILON = 2.0 ** -23
TILE = 4


def finite_size(x):
    return torch.where(x.isfinite(), x.abs(), torch.zeros_like(x))


def tile_peaks(x, padding, height, width):
    """Largest |x| over the channels and the 6 x 6 pixels of each tile: [B, tiles, tiles]."""
    rows, columns = -(-height // TILE), -(-width // TILE)
    size = finite_size(x).amax(-1)
    bottom = rows * TILE + 2 - size.shape[1] - padding
    right = columns * TILE + 2 - size.shape[2] - padding
    size = F.pad(size, (padding, right, padding, bottom))
    return F.max_pool2d(size.unsqueeze(1), TILE + 2, TILE).squeeze(1)


def per_pixel(tiles, height, width):
    return tiles.repeat_interleave(TILE, 1).repeat_interleave(TILE, 2)[:, :height, :width, None]


def output_bound(x, w, bias, padding, shape):
    peaks = per_pixel(tile_peaks(x, padding, shape[1], shape[2]), shape[1], shape[2])
    terms = peaks * finite_size(w).sum((1, 2, 3))
    return C * EPSILON * (terms if bias is None else terms + finite_size(bias))


def input_bound(dy, w, groups, padding, shape):
    peaks = per_pixel(tile_peaks(dy, 2 - padding, shape[1], shape[2]), shape[1], shape[2])
    sums = finite_size(w).reshape(groups, -1, *w.shape[1:]).sum((1, 2, 3)).flatten()
    return C * EPSILON * peaks * sums


def weight_bound(x, dy, padding, shape):
    height, width = dy.shape[1:3]
    peaks = tile_peaks(x, padding, height, width)
    size = F.pad(finite_size(dy).permute(0, 3, 1, 2), (0, -width % TILE, 0, -height % TILE))
    sums = F.avg_pool2d(size, TILE, divisor_override=1)
    total = torch.einsum("bhw,bohw->o", peaks, sums)
    return (C * EPSILON * total)[:, None, None, None].expand(shape)


def fast_bound(tensor, x, options, dy, shape):
    """The bound of each element of a tensor of a case of conv2d_fast; the gradient of the bias is a
    plain sum."""
    padding = int(options["padding"][0])
    if tensor == "output/0":
        return output_bound(x[0], x[1], x[2], padding, shape)
    if tensor == "gradient/0":
        return input_bound(dy, x[1], int(options["groups"][0]), padding, shape)
    if tensor == "gradient/1":
        return weight_bound(x[0], dy, padding, shape)
    return None
