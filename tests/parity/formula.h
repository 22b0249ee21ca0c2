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

struct ExampleSpec {
  int64_t batch = 1;
  int64_t classes = 0;  ///< of the labels, or K that a denoiser is conditioned on
  int64_t side = 32;    ///< pixels of a square image
  bool is_diffusion = false;
};

/// What a step trains on: the inputs of the network and what it should give.
struct Example {
  nn::Inputs inputs;
  Tensor target;  ///< labels, or images for a denoiser
};
Example example_by_formula(const ExampleSpec& spec, int step, DType dtype);

/// Cross-entropy with labels, mean squared error with images.
Tensor loss_of(const Tensor& output, const Example& example);

/// Sixteen dot products with vectors of random signs, elements in PyTorch's order (OIHW).
std::vector<double> sign_projections(const std::string& name, const Tensor& tensor);

}  // namespace diagrad::parity
