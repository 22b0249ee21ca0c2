#include "tests/parity/reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
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

/// Of U-nets, whose classes are an option.
bool is_diffusion(const json& reference) {
  return reference.value("task", "") == "diffusion";
}

/// Largest |ours - theirs| over the largest |theirs|.
double relative_error(const Tensor& ours, const json& theirs) {
  const Tensor values = ours.to(DType::f64).contiguous();
  double worst = 0.0;
  double scale = 0.0;
  int64_t i = 0;
  for (const auto& row : theirs) {
    for (const auto& value : row) {
      worst = std::max(worst, std::abs(values.data<double>()[i++] - value.get<double>()));
      scale = std::max(scale, std::abs(value.get<double>()));
    }
  }
  REQUIRE(i == values.numel());
  return worst / scale;
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

const std::vector<std::string>& unet_goldens() {
  static const std::vector<std::string> names = {"unet-base32",
                                                 "unet-small-class",
                                                 "unet-small-heads",
                                                 "unet-published",
                                                 "unet-small-dia-lstm-network",
                                                 "unet-small-dia-lstm-stage",
                                                 "unet-small-se-block",
                                                 "unet-small-class-dia-lstm"};
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

Example example_of(const json& reference, int step, DType dtype) {
  return example_by_formula({.batch = reference["batch"],
                             .classes = reference["classes"],
                             .side = reference["image"],
                             .is_diffusion = is_diffusion(reference)},
                            step, dtype);
}

double projected_error(const std::string& name, const Tensor& ours, const json& theirs,
                       double floor) {
  const std::vector<double> projections = sign_projections(name, ours);
  const size_t count = theirs.size() - 1;
  double squares = 0.0;
  for (size_t j = 0; j < count; ++j) {
    const double difference = projections[j] - theirs[j + 1].get<double>();
    squares += difference * difference;
  }
  return std::sqrt(squares / static_cast<double>(count)) / std::max(theirs[0].get<double>(), floor);
}

double output_error(const std::string& key, const Tensor& ours, const json& reference) {
  const json& theirs = reference[key];
  if (theirs[0].is_array()) return relative_error(ours, theirs);
  return projected_error(key, ours, theirs);
}

std::vector<std::string> no_decay(const json& reference) {
  const auto network = reference["network"].get<std::string>();
  const models::ModelInfo& info = models::find(network);
  if (!info.no_decay) return {};
  return info.no_decay(OptionValues("model-opt", {network, options_of(reference)}, info.options));
}

}  // namespace diagrad::parity
