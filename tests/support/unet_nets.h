#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/models/unet.h"

/// What the tests of U-nets share.
namespace diagrad::testing {

/// Two levels of one block, 4 and 8 channels, self-attention at the second: every kind of layer.
models::UnetOptions small_unet_options();

/// Puts values where all of a parameter is 0, as in the last layer of every branch, so that nothing
/// behind it is without effect.
void fill_zero_parameters(nn::Module& model, uint64_t seed);

/// small_unet_options() with another attention, every parameter alive.
std::shared_ptr<nn::Module> small_unet(const std::string& attention, const std::string& sharing,
                                       uint64_t seed);

int64_t parameter_count(const nn::Module& model);

/// `batch` images [H,W,C] in [-1, 1), and for image b the time 100 (b + 1) + 0.5.
nn::Inputs noisy_inputs(int64_t batch, const Shape& image, DType dtype);

}  // namespace diagrad::testing
