#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "diagrad/nn/module.h"
#include "tests/parity/formula.h"

namespace diagrad::parity {

/// golden/<model>.json; fails the test where it cannot be read.
nlohmann::json golden(const std::string& model);

/// Those of vision transformers.
const std::vector<std::string>& vit_goldens();

/// Those of U-nets.
const std::vector<std::string>& unet_goldens();

/// Our model of the same settings, filled by the formulas.
std::shared_ptr<nn::Module> build(const nlohmann::json& reference, DType dtype);

/// What step `step` of the same settings trains on.
Example example_of(const nlohmann::json& reference, int step, DType dtype);

/// The error of a tensor relative to its norm, `floor` at least, estimated from random projections:
/// the expectation of a squared projection onto random signs is the squared norm.
double projected_error(const std::string& name, const Tensor& ours, const nlohmann::json& theirs,
                       double floor = 0.0);
/// Of an output that the golden file has under `key`: of logits, the largest |ours - theirs| over
/// the largest |theirs|; of images the projected error.
double output_error(const std::string& key, const Tensor& ours, const nlohmann::json& reference);

/// The patterns of parameters without weight decay that the model proposes.
std::vector<std::string> no_decay(const nlohmann::json& reference);

/// The least that an error of a gradient is divided by, as a share of the norm of all gradients: a
/// gradient that cancels almost to zero holds rounding errors only.
constexpr double kGradientFloor = 1e-6;

}  // namespace diagrad::parity
