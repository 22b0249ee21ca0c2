#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <typeinfo>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/nn/gradcheck_module.h"
#include "diagrad/nn/random_scope.h"
#include "tests/nn/module_case.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// A case's module, with parameters and buffers away from 1 and 0, where a missing factor or term
/// would not show.
std::shared_ptr<nn::Module> make(const ModuleCase& test, uint64_t seed) {
  RandomStream random(seed, stream_id("module case"));
  auto module = test.make(random);
  for (const auto& named : module->state_dict()) {
    const Tensor& values = named.second;
    if (values.dtype() != DType::f32) continue;
    for (int64_t i = 0; i < values.numel(); ++i) {
      values.data<float>()[i] += static_cast<float>(random.uniform(0.1, 0.4));
    }
  }
  return module;
}

Tensor input_of(const ModuleCase& test, DType dtype) {
  RandomStream random(1, stream_id("module input"));
  const Tensor x = test.input(random);
  return is_floating(x.dtype()) ? x.to(dtype) : x;
}

/// One forward pass, whose masks are always the same.
Tensor output_of(const ModuleCase& test, nn::Module& module, const Tensor& x) {
  const NoGrad no_grad;
  const nn::RandomScope scope(1, 0);
  return test.forward(module, x).contiguous();
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw_data(), b.raw_data(),
                     static_cast<size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

std::string state_of(const nn::Module& module) {
  std::vector<nn::NamedTensor> tensors = module.named_parameters();
  const auto buffers = module.named_buffers();
  tensors.insert(tensors.end(), buffers.begin(), buffers.end());
  std::string text;
  for (const auto& named : tensors) {
    text += fmt::format("{}{} {}", text.empty() ? "" : " ", named.name, named.tensor.shape());
  }
  return text;
}

/// Runs `body` for every case, with its name in front of each failure.
void for_each_case(const std::function<void(const ModuleCase&)>& body) {
  for (const ModuleCase& test : module_cases()) {
    INFO(test.module, ", ", test.variant);
    body(test);
  }
}

TEST_CASE("every module has the gradients of its formula, for inputs and each parameter") {
  for_each_case([](const ModuleCase& test) {
    const auto module = make(test, 1);
    const auto result = nn::gradcheck_module(
        *module, {input_of(test, DType::f64)}, {.forward = [&](std::span<const Tensor> inputs) {
          return std::vector<Tensor>{test.forward(*module, inputs[0])};
        }});
    CHECK_MESSAGE(result.passed, result.message);
  });
}

TEST_CASE("every module is what its case says, and has the parameters and buffers it says") {
  for_each_case([](const ModuleCase& test) {
    const auto module = make(test, 1);
    const nn::Module& made = *module;
    CHECK(std::string(typeid(made).name()).find(test.module) != std::string::npos);
    CHECK(state_of(*module) == test.state);
  });
}

TEST_CASE("every module gives the same bits after its state is loaded into another") {
  for_each_case([](const ModuleCase& test) {
    const auto from = make(test, 1);
    const auto into = make(test, 2);
    const Tensor x = input_of(test, DType::f32);
    for (const bool training : {true, false}) {
      from->train(training);
      into->train(training);
      into->load_state_dict(from->state_dict());
      const Tensor expected = output_of(test, *from, x);
      CHECK(equal_bits(output_of(test, *into, x), expected));
    }
    // What training left in the buffers is part of the state.
    for (const auto& named : from->state_dict()) {
      CHECK(equal_bits(into->state_dict().at(named.first), named.second));
    }
  });
}

TEST_CASE("modules differ between training and evaluation where they say so, and only there") {
  for_each_case([](const ModuleCase& test) {
    const auto module = make(test, 1);
    const Tensor x = input_of(test, DType::f32);
    const Tensor trained = output_of(test, *module, x);
    module->eval();
    const nn::StateDict state = module->state_dict();
    nn::StateDict before;
    for (const auto& named : state) before[named.first] = named.second.clone();
    const Tensor evaluated = output_of(test, *module, x);
    CHECK(equal_bits(trained, evaluated) != test.has_modes);
    CHECK(equal_bits(evaluated, output_of(test, *module, x)));
    for (const auto& named : state) CHECK(equal_bits(named.second, before.at(named.first)));
  });
}

TEST_CASE("every module gives in f32 what it gives in f64, up to rounding") {
  for_each_case([](const ModuleCase& test) {
    const auto module = make(test, 1);
    const Tensor single = output_of(test, *module, input_of(test, DType::f32)).to(DType::f64);
    module->to(DType::f64);
    // The same f32 numbers, now in f64.
    const Tensor x = input_of(test, DType::f32);
    const Tensor full = output_of(test, *module, is_floating(x.dtype()) ? x.to(DType::f64) : x);
    CHECK(full.dtype() == DType::f64);
    REQUIRE(single.shape() == full.shape());
    for (int64_t i = 0; i < full.numel(); ++i) {
      CHECK(single.data<double>()[i] == doctest::Approx(full.data<double>()[i]).epsilon(1e-5));
    }
  });
}

TEST_CASE("every module that does not take any input says what does not fit") {
  for_each_case([](const ModuleCase& test) {
    if (test.error.empty()) return;
    const auto module = make(test, 1);
    const std::string text =
        error_message([&] { output_of(test, *module, Tensor::zeros(test.wrong_input)); });
    CHECK_MESSAGE(text.find(test.error) != std::string::npos, text);
  });
}

}  // namespace
}  // namespace diagrad::testing
