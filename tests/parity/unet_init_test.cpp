#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/first_weights.h"
#include "diagrad/ops/transpose.h"
#include "tests/parity/formula.h"
#include "tests/parity/reference.h"

namespace diagrad::parity {
namespace {

using nlohmann::json;

/// [O,kh,kw,I] to [O,I,kh,kw].
Tensor to_torch_layout(const Tensor& weight) {
  if (weight.rank() != 4) return weight;
  return transpose(transpose(weight, 2, 3), 1, 2).contiguous();
}

/// The names of diffusers before version 0.13.
std::string old_name(std::string name) {
  const std::vector<std::pair<std::string, std::string>> renamed = {{".to_q.", ".query."},
                                                                    {".to_k.", ".key."},
                                                                    {".to_v.", ".value."},
                                                                    {".to_out.0.", ".proj_attn."}};
  for (const auto& pair : renamed) {
    const size_t at = name.find(pair.first);
    if (at != std::string::npos) name.replace(at, pair.first.size(), pair.second);
  }
  return name;
}

/// What a file of diffusers holds: the weights of the formulas.
nn::StateDict file_of(const json& reference, bool has_old_names) {
  const NoGrad no_grad;
  nn::StateDict file;
  for (const auto& entry : build(reference, DType::f64)->state_dict()) {
    file[has_old_names ? old_name(entry.first) : entry.first] = to_torch_layout(entry.second);
  }
  return file;
}

TEST_CASE("the published form of diffusers' U-net comes in by its new and old names") {
  const json reference = golden("unet-published");
  for (const bool has_old_names : {false, true}) {
    CAPTURE(has_old_names);
    const nn::StateDict file = file_of(reference, has_old_names);
    CHECK(file.count("mid_block.attentions.0.query.weight") == (has_old_names ? 1 : 0));
    const auto model = build(reference, DType::f64);
    for (const auto& parameter : model->named_parameters()) {
      const NoGrad no_grad;
      parameter.tensor.fill_(0.0);
    }
    const models::FirstWeights weights = models::fit_weights(
        {.tensors = models::from_torch_layout(file)}, &models::find("unet"), *model);
    CHECK(weights.missing.empty());
    CHECK(weights.unexpected.empty());
    nn::load(model->state_dict(), weights.tensors);
    const NoGrad no_grad;
    const Tensor output = model->call(example_of(reference, 0, DType::f64).inputs);
    CHECK(output_error("logits", output, reference) < 1e-12);
  }
}

}  // namespace
}  // namespace diagrad::parity
