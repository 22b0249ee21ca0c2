#include "diagrad/nn/activation.h"

#include "diagrad/ops/activation.h"

namespace diagrad::nn {

Tensor ReLU::forward(const Tensor& x) {
  return relu(x);
}

Tensor GELU::forward(const Tensor& x) {
  return gelu(x);
}

Tensor GELUTanh::forward(const Tensor& x) {
  return gelu_tanh(x);
}

Tensor SiLU::forward(const Tensor& x) {
  return silu(x);
}

Tensor Sigmoid::forward(const Tensor& x) {
  return sigmoid(x);
}

Tensor Tanh::forward(const Tensor& x) {
  return diagrad::tanh(x);
}

Tensor Softplus::forward(const Tensor& x) {
  return softplus(x);
}

Tensor Hardswish::forward(const Tensor& x) {
  return hardswish(x);
}

}  // namespace diagrad::nn
