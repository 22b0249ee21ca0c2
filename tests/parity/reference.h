#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "diagrad/nn/module.h"

namespace diagrad::parity {

/// golden/<model>.json; fails the test where it cannot be read.
nlohmann::json golden(const std::string& model);

/// Our model of the same settings, filled by the formulas.
std::shared_ptr<nn::Module> build(const nlohmann::json& reference, DType dtype);

}  // namespace diagrad::parity
