// Every operation on every input of its test cases, forward and backward, in f32: a new case is
// benchmarked without an edit here. The sizes are small, so this shows what a call costs.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/random.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// The inputs of a case in f32; those that have a gradient ask for it.
std::vector<Tensor> prepare(const OpCase& test) {
  RandomStream random(1, stream_id("bench"));
  std::vector<Tensor> inputs = test.inputs(random);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_floating(inputs[i].dtype())) continue;
    inputs[i] = inputs[i].to(DType::f32);
    const bool asked = test.differentiable.empty() || test.differentiable[i];
    inputs[i].set_requires_grad(test.has_gradient && asked);
  }
  return inputs;
}

void forward(benchmark::State& state, const OpCase& test) {
  const std::vector<Tensor> inputs = prepare(test);
  const NoGrad no_grad;
  for ([[maybe_unused]] auto step : state) benchmark::DoNotOptimize(test.run(inputs));
}

void backward(benchmark::State& state, const OpCase& test) {
  const std::vector<Tensor> inputs = prepare(test);
  std::vector<Tensor> wanted;
  for (const Tensor& input : inputs) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  const std::vector<Tensor> outputs = test.run(inputs);
  std::vector<Tensor> vectors;
  vectors.reserve(outputs.size());
  for (const Tensor& output : outputs) vectors.push_back(Tensor::ones(output.shape()));
  for ([[maybe_unused]] auto step : state) {
    benchmark::DoNotOptimize(autograd::grad(outputs, wanted, vectors, {.retain_graph = true}));
  }
}

void register_cases() {
  for (const OpCase& test : op_cases()) {
    if (test.empty) continue;
    const std::string name = fmt::format("{}, {}", test.op, test.variant);
    benchmark::RegisterBenchmark((name + "/forward").c_str(),
                                 [&test](benchmark::State& state) { forward(state, test); });
    if (!test.has_gradient) continue;
    benchmark::RegisterBenchmark((name + "/backward").c_str(),
                                 [&test](benchmark::State& state) { backward(state, test); });
  }
}

}  // namespace
}  // namespace diagrad::testing

int main(int argc, char** argv) {
  diagrad::testing::register_cases();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
