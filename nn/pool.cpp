#include "diagrad/nn/pool.h"

namespace diagrad::nn {

MaxPool2d::MaxPool2d(const Pool2dSpec& spec) : spec_(spec) {}

Tensor MaxPool2d::forward(const Tensor& x) {
  return max_pool2d(x, spec_);
}

AvgPool2d::AvgPool2d(const Pool2dSpec& spec) : spec_(spec) {}

Tensor AvgPool2d::forward(const Tensor& x) {
  return avg_pool2d(x, spec_);
}

Tensor GlobalAvgPool::forward(const Tensor& x) {
  return global_avg_pool(x);
}

}  // namespace diagrad::nn
