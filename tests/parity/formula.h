#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/nn/module.h"

/// The closed formulas of README.md here: weights, images, labels and projections are functions
/// of names and indices, the same in Python and in C++.
namespace diagrad::parity {

uint64_t hash_bits(const std::string& name, int64_t index);
/// Uniform in [-1, 1).
double hash_uniform(const std::string& name, int64_t index);

/// Every parameter and buffer of a network by its name.
void fill_by_formula(nn::Module& model);

struct Batch {
  Tensor images, labels;
};
/// Square images of `side` pixels.
Batch batch_by_formula(int step, int64_t batch, int64_t classes, int64_t side, DType dtype);

/// Sixteen dot products with vectors of random signs, elements in PyTorch's order (OIHW).
std::vector<double> sign_projections(const std::string& name, const Tensor& tensor);

}  // namespace diagrad::parity
