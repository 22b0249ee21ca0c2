#include "tests/parity/differential/operation.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "diagrad/autograd/engine.h"
#include "diagrad/nn/safetensors.h"

namespace diagrad::parity {
namespace {

/// Drawn apart from the inputs: the shapes of outputs are known only after the run.
Input cotangent_of(const Tensor& output, Draw& draw) {
  return draw.floats(output.shape(), {-1.0, 1.0});
}

nlohmann::json description_of(const Case& test) {
  static const char* const kValues[] = {"plain", "special", "grid"};
  static const char* const kLayouts[] = {"contiguous", "transposed", "sliced", "expanded"};
  nlohmann::json layouts = nlohmann::json::array();
  nlohmann::json differentiable = nlohmann::json::array();
  for (const Input& input : test.body.inputs) {
    layouts.push_back(kLayouts[static_cast<size_t>(input.layout)]);
    differentiable.push_back(input.values.defined() && input.differentiable);
  }
  return {{"operation", test.operation->name},
          {"number", test.number},
          {"values", kValues[static_cast<size_t>(test.values)]},
          {"math", test.operation->math == MathMode::fast ? "fast" : "exact"},
          {"layouts", layouts},
          {"differentiable", differentiable},
          {"options", test.body.options},
          {"checksum", checksum_of_inputs(test)}};
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> table = [] {
    std::vector<Operation> all;
    for (std::vector<Operation> part :
         {elementwise_operations(), shape_operations(), reduction_operations(), layer_operations(),
          image_operations()}) {
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    for (Operation& operation : all) {
      if (operation.functions.empty()) operation.functions = {operation.name};
    }
    return all;
  }();
  return table;
}

Case make_case(const Operation& operation, uint64_t seed, int64_t number) {
  Draw draw(seed, "differential " + operation.name, number);
  return {&operation, number, draw.values(), operation.make(draw)};
}

Results evaluate(const Case& test, uint64_t seed, DType dtype) {
  const MathModeScope math(test.operation->math);
  std::vector<Tensor> inputs;
  std::vector<Tensor> leaves;
  std::vector<std::string> names;
  for (const Input& input : test.body.inputs) {
    inputs.push_back(laid_out(input, dtype));
    if (!input.values.defined() || !input.differentiable) continue;
    leaves.push_back(inputs.back());
    leaves.back().set_requires_grad(true);
    names.push_back(fmt::format("gradient/{}", inputs.size() - 1));
  }
  const std::vector<Tensor> outputs = test.body.run(inputs);

  Draw draw(seed, "differential cotangent " + test.operation->name, test.number);
  Results results;
  std::vector<Tensor> roots;
  std::vector<Tensor> cotangents;
  for (size_t k = 0; k < outputs.size(); ++k) {
    results.emplace(fmt::format("output/{}", k), outputs[k].detach().contiguous());
    if (!outputs[k].requires_grad()) continue;
    roots.push_back(outputs[k]);
    cotangents.push_back(laid_out(cotangent_of(outputs[k], draw), outputs[k].dtype()));
    results.emplace(fmt::format("cotangent/{}", k), cotangents.back().contiguous());
  }
  if (roots.empty()) return results;
  const std::vector<Tensor> gradients = autograd::grad(roots, leaves, cotangents);
  for (size_t i = 0; i < leaves.size(); ++i) {
    results.emplace(names[i], gradients[i].defined() ? gradients[i].contiguous()
                                                     : Tensor::zeros(leaves[i].shape(), dtype));
  }
  return results;
}

std::string checksum_of_inputs(const Case& test) {
  nn::TensorMap tensors;
  for (size_t i = 0; i < test.body.inputs.size(); ++i) {
    const Tensor& values = test.body.inputs[i].values;
    if (values.defined()) tensors.emplace(std::to_string(i), values);
  }
  return fmt::format("{:016x}", nn::checksum(tensors, {}));
}

int64_t write_cases(const std::string& path, uint64_t seed, int64_t count) {
  nn::TensorMap tensors;
  nlohmann::json cases = nlohmann::json::array();
  for (const Operation& operation : operations()) {
    for (int64_t number = 0; number < count; ++number) {
      const Case test = make_case(operation, seed, number);
      cases.push_back(description_of(test));
      for (size_t i = 0; i < test.body.inputs.size(); ++i) {
        const Tensor& values = test.body.inputs[i].values;
        if (values.defined()) tensors.emplace(fmt::format("{}/input/{}", test.name(), i), values);
      }
      for (const DType dtype : {DType::f64, DType::f32}) {
        for (const auto& [name, tensor] : evaluate(test, seed, dtype)) {
          tensors.emplace(fmt::format("{}/{}/{}", test.name(), dtype, name), tensor);
        }
      }
    }
  }
  nn::write_safetensors(path, tensors, {{"cases", cases.dump()}, {"seed", std::to_string(seed)}});
  return static_cast<int64_t>(cases.size());
}

}  // namespace diagrad::parity
