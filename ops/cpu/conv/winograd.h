#pragma once

#include "diagrad/ops/cpu/conv/convolution.h"

namespace diagrad::kernels {

// Convolutions with 3x3 kernels, stride 1, dilation 1, grouped or not, by the minimal filtering of
// Winograd (Lavin and Gray 2016) on tiles of 4x4 outputs: 36 multiply-adds do the work of 144. The
// formulas, their points and their error: docs/notes/winograd.md.
//
// Error of each result, with epsilon = 2^-23 and the tile being the 6x6 pixels that it is made
// from:
//
//   y    kWinogradError * epsilon * (max|x| of the tile * sum|w| + |bias|)
//   dx   kWinogradError * epsilon * max|dy| of the tile * sum|w|
//   dw   kWinogradError * epsilon * the sum over tiles of max|x| of the tile * sum|dy| of its 4x4
//
// where sums and maxima are over what the result depends on. A tile that reads a value that is not
// finite is made by the direct kernels, with the bits of exact mode; all of dw, where x or dy holds
// one. Values above 1e36 may overflow inside a tile. Results have the same bits for any number of
// threads.

/// Measured over random cases of all kinds of values, then doubled: docs/notes/winograd.md.
inline constexpr double kWinogradError = 120.0;

/// Whether `g` is of that kind: any sizes and padding, but not depthwise.
bool is_winograd_kind(const ConvGeometry& g);

/// Whether, besides, Winograd is faster than the direct kernels.
bool should_use_winograd(const ConvGeometry& g);
bool winograd_input_gradient_gains(const ConvGeometry& g);
bool winograd_weight_gradient_gains(const ConvGeometry& g);

/// The three products of convolution.h, for is_winograd_kind(g).
void winograd_convolve(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                       float* y);
void winograd_input_gradient(const ConvGeometry& g, const float* dy, const float* w, float* dx,
                             bool accumulate = false);
void winograd_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw);

}  // namespace diagrad::kernels
