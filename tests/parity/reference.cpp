#include "tests/parity/reference.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/models/registry.h"
#include "tests/parity/formula.h"

namespace diagrad::parity {

using nlohmann::json;

json golden(const std::string& model) {
  std::ifstream file(std::string(DIAGRAD_SOURCE_DIR) + "/tests/parity/golden/" + model + ".json");
  REQUIRE_MESSAGE(file.good(), model);
  return json::parse(file);
}

std::shared_ptr<nn::Module> build(const json& reference, DType dtype) {
  const auto model = models::create("resnet" + std::to_string(reference["depth"].get<int>()),
                                    {.classes = reference["classes"].get<int64_t>(),
                                     .input = {32, 32, 3},
                                     .attention = reference["attention"].get<std::string>(),
                                     .sharing = reference["sharing"].get<std::string>()});
  model->to(dtype);
  fill_by_formula(*model);
  return model;
}

}  // namespace diagrad::parity
