#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Activations, element by element, x of any shape, f32 or f64.

Tensor sigmoid(const Tensor& x);  ///< 1 / (1 + e^-x), dx = dy y (1 - y); saves y
Tensor tanh(const Tensor& x);     ///< dx = dy (1 - y^2); saves y
Tensor relu(const Tensor& x);     ///< max(x, 0), dx = 0 where y <= 0, else dy; saves y
/// x Phi(x) with the exact normal distribution function. Saves x.
/// Source: Hendrycks and Gimpel, "Gaussian error linear units", arXiv 1606.08415.
Tensor gelu(const Tensor& x);
/// x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is 0.5 x (1 + tanh(u)): gelu
/// within 5e-4. Saves x. Source: the same, section 2.
Tensor gelu_tanh(const Tensor& x);
enum class GeluForm { exact, tanh };  ///< gelu, gelu_tanh
/// x sigmoid(x), also called swish. Saves x.
Tensor silu(const Tensor& x);
/// log(1 + e^x), dx = dy sigmoid(x). Saves x.
Tensor softplus(const Tensor& x);
/// x min(max(x + 3, 0), 6) / 6. Saves x.
/// Source: Howard et al., "Searching for MobileNetV3", ICCV 2019.
Tensor hardswish(const Tensor& x);

}  // namespace diagrad
