// The table "Differences from PyTorch" of docs/api.md: one test per line, named after its first
// column.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/philox.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/unary.h"
#include "tests/support/edge_values.h"
#include "tests/support/op_case.h"
#include "tests/support/pattern.h"

namespace diagrad {
namespace {

using testing::error_message;
using testing::kInf;
using testing::kNan;
using testing::values;
using testing::vector_of;

std::string text_of(const std::string& path) {
  std::ifstream stream(std::string(DIAGRAD_SOURCE_DIR "/") + path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST_CASE("every line of the table of differences has its test") {
  const std::string tests = text_of("tests/ops/pytorch_differences_test.cpp") +
                            text_of("tests/parity/differential/known_test.cpp");
  const auto lines = testing::all_matches(text_of("docs/api.md"), "\n\\| `([^|]+)` \\|");
  CHECK(lines.size() >= 20);
  for (const auto& line : lines) {
    const std::string test = "TEST_CASE(\"differs: " + line.at(1) + "\")";
    CHECK_MESSAGE(tests.find(test) != std::string::npos, test << " is missing");
  }
}

double derivative(Tensor (*f)(const Tensor&), double x) {
  const Tensor input = vector_of({x}, DType::f64).set_requires_grad(true);
  return autograd::grad({f(input)}, {input}, {Tensor::ones({1}, DType::f64)})[0].item();
}

TEST_CASE("differs: max") {
  const Tensor x = vector_of({1, 5, 5}, DType::f32).set_requires_grad(true);
  backward(max(x));
  CHECK(testing::differences(values(x.grad()), {0, 1, 0}) == "");
}

TEST_CASE("differs: mean, var, argmax") {
  const Tensor nothing = Tensor::zeros({0, 3});
  CHECK(error_message([&] { mean(nothing); }) != "");
  CHECK(error_message([&] { var(nothing); }) != "");
  CHECK(error_message([&] { var(Tensor::zeros({1})); }) != "");
  CHECK(error_message([&] { argmax(Tensor::zeros({3, 0})); }) != "");
}

TEST_CASE("differs: cross_entropy, mse, bce_with_logits") {
  CHECK(error_message([] {
          cross_entropy(Tensor::zeros({0, 3}), Tensor::zeros({0}, DType::i64));
        }) != "");
  CHECK(error_message([] { mse(Tensor::zeros({0}), Tensor::zeros({0})); }) != "");
  CHECK(error_message([] { bce_with_logits(Tensor::zeros({0}), Tensor::zeros({0})); }) != "");
  CHECK(error_message([] { mse(Tensor::zeros({2, 1}), Tensor::zeros({2})); }) != "");
}

TEST_CASE("differs: cross_entropy") {
  const Tensor logits = Tensor::zeros({1, 3});
  CHECK(error_message([&] { cross_entropy(logits, Tensor::from<int64_t>({-100}, {1})); }) != "");
  const Tensor far = Tensor::from<double>({1012, 1000, 995}, {1, 3});
  CHECK(cross_entropy(far, Tensor::from<int64_t>({0}, {1})).item() ==
        doctest::Approx(std::log1p(std::exp(-12.0) + std::exp(-17.0))).epsilon(1e-14));
}

TEST_CASE("differs: cross_entropy_soft") {
  const Tensor logits = Tensor::from<double>({0, -kInf}, {1, 2});
  CHECK(cross_entropy_soft(logits, Tensor::from<double>({1, 0}, {1, 2})).item() == 0.0);
  CHECK(cross_entropy_soft(logits, Tensor::from<double>({0.5, 0.5}, {1, 2})).item() == kInf);
}

TEST_CASE("differs: bce_with_logits") {
  CHECK(bce_with_logits(vector_of({-kInf}, DType::f64), vector_of({1}, DType::f64)).item() == kInf);
}

TEST_CASE("differs: clamp") {
  const Tensor x = Tensor::zeros({2});
  CHECK(error_message([&] { clamp(x, 1.0, -1.0); }) != "");
  CHECK(error_message([&] { clamp(x, kNan, 1.0); }) != "");
}

TEST_CASE("differs: pow") {
  const Tensor x = vector_of({-kInf}, DType::f64);
  CHECK(pow(x, 0.5).item() == kInf);
  CHECK(pow(x, -0.5).item() == 0.0);
  CHECK(derivative([](const Tensor& v) { return pow(v, 0.5); }, -kInf) == 0.0);
}

TEST_CASE("differs: softplus") {
  CHECK(softplus(vector_of({21}, DType::f64)).item() == 21.0 + std::log1p(std::exp(-21.0)));
  CHECK(derivative(softplus, 21.0) == doctest::Approx(1.0 - std::exp(-21.0)).epsilon(1e-15));
  CHECK(derivative(softplus, 21.0) < 1.0);
}

TEST_CASE("differs: gelu") {
  CHECK(gelu(vector_of({kInf}, DType::f32)).item() == kInf);
  CHECK(gelu(vector_of({kInf}, DType::f64)).item() == kInf);
}

TEST_CASE("differs: gelu_tanh") {
  // -6 / (1 + e^(2 u)) with u = sqrt(2 / pi) (6 + 0.044715 * 216).
  const double u = std::sqrt(2.0 / std::numbers::pi) * (6.0 + 0.044715 * 216.0);
  CHECK(gelu_tanh(vector_of({-6}, DType::f64)).item() ==
        doctest::Approx(-6.0 / (1.0 + std::exp(2.0 * u))).epsilon(1e-14));
}

TEST_CASE("differs: hardswish") {
  CHECK(std::isnan(derivative(hardswish, kNan)));
  CHECK(hardswish(vector_of({3e38}, DType::f32)).item() == static_cast<double>(3e38F));
}

TEST_CASE("differs: dropout, drop_path") {
  const Tensor y = dropout(Tensor::ones({8}), {.p = 0.5, .seed = 7, .stream = 3});
  for (uint64_t i = 0; i < 8; ++i) {
    const bool kept = philox4x32(7, 3, i / 4).word[i % 4] >= (uint64_t{1} << 31);
    CHECK(y.data<float>()[i] == (kept ? 2.0F : 0.0F));
  }
}

TEST_CASE("differs: sum, mean, max, var") {
  CHECK(error_message([] { sum(Tensor::zeros({3}, DType::i64)); }) != "");
  // In f32, PyTorch rounds the mean before it takes differences.
  CHECK(var(vector_of({1000000.0625, 1e6, 1e6, 1e6}, DType::f32)).item() == 9.765625e-4);
}

TEST_CASE("differs: conv2d") {
  // In fast mode, values beside a large one in a 4x4 tile are rounded like it.
  const Tensor x = Tensor::ones({2, 16, 16, 32});
  x.data<float>()[0] = 1e6F;
  const Tensor mean = Tensor::full({32, 3, 3, 32}, 0.1);
  const auto beside = [&](MathMode mode) {
    const MathModeScope scope(mode);
    return values(conv2d(x, mean, {.padding = 1}))[(3 * 16 + 3) * 32];
  };
  CHECK(std::abs(beside(MathMode::exact) - 28.8) < 1e-4);
  CHECK(std::abs(beside(MathMode::fast) - 28.8) > 1e-4);
}

}  // namespace
}  // namespace diagrad
