#pragma once

#include "diagrad/nn/module.h"
#include "diagrad/ops/pool.h"

/// The pools of ops/pool.h as modules, for use in a Sequential. No parameters.
namespace diagrad::nn {

using Pool2dSpec = Pool2dOptions;

/// The largest value of each window, images [B,H,W,C] to [B,H',W',C].
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const Pool2dSpec& spec);
  Tensor forward(const Tensor& x) override;

 private:
  Pool2dSpec spec_;
};

/// The mean of each window, shapes as MaxPool2d.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const Pool2dSpec& spec);
  Tensor forward(const Tensor& x) override;

 private:
  Pool2dSpec spec_;
};

/// The mean over all positions, images [B,H,W,C] or tokens [B,T,C] to [B,C].
class GlobalAvgPool : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

}  // namespace diagrad::nn
