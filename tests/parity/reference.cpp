#include "tests/parity/reference.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "diagrad/models/registry.h"

namespace diagrad::parity {
namespace {

using nlohmann::json;
using Options = std::vector<std::pair<std::string, std::string>>;

Options options_of(const json& reference) {
  Options options;
  for (const auto& option : reference["options"].items()) {
    options.emplace_back(option.key(), option.value().get<std::string>());
  }
  return options;
}

}  // namespace

json golden(const std::string& model) {
  std::ifstream file(std::string(DIAGRAD_SOURCE_DIR) + "/tests/parity/golden/" + model + ".json");
  REQUIRE_MESSAGE(file.good(), model);
  return json::parse(file);
}

const std::vector<std::string>& vit_goldens() {
  static const std::vector<std::string> names = {"vit-cifar",
                                                 "vit-cifar-layer-scale",
                                                 "vit-cifar-avg",
                                                 "vit-small-avg-class-token",
                                                 "vit-tiny-patch16-224",
                                                 "vit-cifar-dia-lstm",
                                                 "vit-small-dia-lstm-ffn-all",
                                                 "vit-small-dia-lstm-ffn-patches",
                                                 "vit-small-dia-lstm-ffn-class",
                                                 "vit-small-dia-lstm-attn-all",
                                                 "vit-small-dia-lstm-attn-patches",
                                                 "vit-small-dia-lstm-attn-class",
                                                 "vit-small-dia-lstm-both-all",
                                                 "vit-small-dia-lstm-both-patches",
                                                 "vit-small-dia-lstm-both-class",
                                                 "vit-small-avg-dia-lstm"};
  return names;
}

std::shared_ptr<nn::Module> build(const json& reference, DType dtype) {
  const auto side = reference["image"].get<int64_t>();
  const auto model = models::create(reference["network"].get<std::string>(),
                                    {.classes = reference["classes"].get<int64_t>(),
                                     .input = {side, side, 3},
                                     .attention = reference["attention"].get<std::string>(),
                                     .sharing = reference["sharing"].get<std::string>(),
                                     .options = options_of(reference)});
  model->to(dtype);
  fill_by_formula(*model);
  return model;
}

Batch batch_of(const json& reference, int step, DType dtype) {
  return batch_by_formula(step, reference["batch"], reference["classes"], reference["image"],
                          dtype);
}

std::vector<std::string> no_decay(const json& reference) {
  const auto network = reference["network"].get<std::string>();
  const models::ModelInfo& info = models::find(network);
  if (!info.no_decay) return {};
  return info.no_decay(OptionValues("model-opt", {network, options_of(reference)}, info.options));
}

}  // namespace diagrad::parity
