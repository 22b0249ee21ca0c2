#pragma once

#include "diagrad/core/size2.h"
#include "diagrad/core/tensor.h"

/// Positions of the patches of an image, row by row, behind `prefix` tokens without a place, such
/// as a class token: [1, prefix + H W, D], to add to tokens [B, prefix + H W, D].
namespace diagrad::nn {

/// Fixed ones, f32: D/4 frequencies w = 10000^(-4 i / D), and for the patch in row y and column x
/// sin(x w), cos(x w), sin(y w), cos(y w), one after the other; 0 for the prefix. Throws for a
/// width that is no multiple of 4. Source: Chen, Xie, He, "An empirical study of training
/// self-supervised vision transformers", ICCV 2021, code.
Tensor sinusoidal_positions(int64_t prefix, Size2 grid, int64_t width);

/// Learned ones of a grid for another: bicubic resampling (a = -1/2), with a wider filter where the
/// grid shrinks, so that every old position counts; the prefix stays. The same as PyTorch's
/// interpolate with mode="bicubic", antialias=True, which timm uses. Differentiable; the identity
/// for equal grids. Throws for positions that are not of the old grid, with the numbers.
Tensor resample_positions(const Tensor& positions, int64_t prefix, Size2 from, Size2 to);

}  // namespace diagrad::nn
