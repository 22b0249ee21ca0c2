#pragma once

#include "diagrad/nn/module.h"

/// The activations of ops/activation.h as modules, for places where one is chosen or listed; in
/// the forward of a module of one's own the function is shorter. No parameters, x of any shape.
namespace diagrad::nn {

class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class GELU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

/// gelu_tanh.
class GELUTanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Softplus : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Hardswish : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

}  // namespace diagrad::nn
