// The three pieces that CONTRIBUTING.md adds for an elementwise operation, around a stand-in for
// what ops/unary.cpp does with every such function.
#include <doctest/doctest.h>

#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/record.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/unary_math.h"

namespace diagrad::recipe {

using unary::Saves;
enum class UnaryFunction { square };  // the name that the recipe adds

namespace {

#include "diagrad/fragments/ops/unary.h"
#include "diagrad/fragments/ops/unary_math.h"

Tensor apply(const char* name, UnaryFunction function, const Tensor& x) {
  CHECK(function == UnaryFunction::square);
  const Square<double> f{};
  const Tensor y = Tensor::empty_like(x);
  elementwise<double, double>(
      y, [f](double v) { return f.value(v); }, x);
  CHECK(Square<double>::kSaves == Saves::input);
  return autograd::record(
      {name}, {x}, y,
      [f, saved = autograd::SavedTensor(x)](const autograd::BackwardContext& context) {
        const Tensor dy = context.gradient();
        const Tensor dx = Tensor::empty_like(dy);
        elementwise<double, double, double>(
            dx, [f](double v, double slope) { return slope * f.derivative(v); }, saved.get(context),
            dy);
        return autograd::Gradients{dx};
      });
}

#include "diagrad/fragments/ops/unary.cpp"  // NOLINT(bugprone-suspicious-include)

}  // namespace

TEST_CASE("the elementwise operation that CONTRIBUTING.md adds has its value and derivative") {
  const Tensor x = Tensor::full({3}, -3.0, DType::f64);
  CHECK(square(x).data<double>()[2] == 9.0);
  x.set_requires_grad(true);
  const auto result = autograd::gradcheck(
      [](std::span<const Tensor> in) -> std::vector<Tensor> { return {square(in[0])}; },
      std::vector<Tensor>{x});
  CHECK_MESSAGE(result.passed, result.message);
}

}  // namespace diagrad::recipe
