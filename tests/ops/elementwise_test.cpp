#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/unary.h"
#include "diagrad/ops/where.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;
using Function = Tensor (*)(const Tensor&);

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Slope {
  double value, derivative;
};

/// f and df/dx at one point.
Slope at(Function f, double x, DType dtype) {
  const Tensor point = Tensor::full({}, x, dtype);
  point.set_requires_grad(true);
  const Tensor y = f(point);
  backward(y);
  return {y.item(), point.grad().item()};
}

TEST_CASE("saturating activations stay finite far from 0, and so do their derivatives") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double far = dtype == DType::f32 ? 1e38 : 1e300;
    CAPTURE(name(dtype));
    for (const double x : {50.0, 1000.0, far}) {
      CAPTURE(x);
      const double stored = Tensor::full({}, x, dtype).item();  // x itself is no f32
      for (const Function f : {relu, gelu, gelu_tanh, silu, softplus, hardswish}) {
        CHECK(at(f, x, dtype).value == stored);
        CHECK(at(f, x, dtype).derivative == 1.0);
        CHECK(std::abs(at(f, -x, dtype).value) < 1e-19);
        CHECK(std::abs(at(f, -x, dtype).derivative) < 1e-19);
      }
      CHECK(at(sigmoid, x, dtype).value == 1.0);
      CHECK(at(sigmoid, -x, dtype).value < 1e-21);
      CHECK(at(tanh, x, dtype).value == 1.0);
      CHECK(at(tanh, -x, dtype).value == -1.0);
      for (const Function f : {sigmoid, tanh}) {
        CHECK(std::abs(at(f, x, dtype).derivative) < 1e-21);
        CHECK(std::abs(at(f, -x, dtype).derivative) < 1e-21);
      }
    }
  }
}

TEST_CASE("small probabilities keep their digits") {
  CHECK(at(sigmoid, -80.0, DType::f32).value == doctest::Approx(std::exp(-80.0)).epsilon(1e-5));
  CHECK(at(softplus, -80.0, DType::f32).value == doctest::Approx(std::exp(-80.0)).epsilon(1e-5));
  CHECK(at(softplus, -700.0, DType::f64).value == doctest::Approx(std::exp(-700.0)));
}

TEST_CASE("functions of one variable at the edge of their domain") {
  CHECK(at(log, 0.0, DType::f32).value == -kInfinity);
  CHECK(at(log, 0.0, DType::f32).derivative == kInfinity);
  CHECK(std::isnan(at(log, -1.0, DType::f64).value));
  CHECK(at(exp, 1000.0, DType::f64).value == kInfinity);
  CHECK(at(exp, -1000.0, DType::f64).value == 0.0);
  CHECK(at(sqrt, 0.0, DType::f64).value == 0.0);
  CHECK(at(sqrt, 0.0, DType::f64).derivative == kInfinity);
  CHECK(std::isnan(at(sqrt, -1.0, DType::f64).value));
}

TEST_CASE("division by a number rounds once, also where the number has no inverse") {
  const auto by_49 = [](const Tensor& x) { return x / 49.0; };
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (int i = 1; i < 100; ++i) {
      const double x = Tensor::full({}, 0.7 * i, dtype).item();
      const double right =
          dtype == DType::f64 ? x / 49.0 : static_cast<double>(static_cast<float>(x) / 49.0F);
      CHECK(at(by_49, x, dtype).value == right);
    }
    CHECK(at(by_49, 1.0, dtype).derivative ==
          (dtype == DType::f64 ? 1.0 / 49.0 : static_cast<double>(1.0F / 49.0F)));
  }
  const Tensor tiny = Tensor::full({2, 3}, 1e-40);
  tiny.set_requires_grad(true);
  const Tensor y = tiny / 1e-40;
  CHECK(y.data<float>()[5] == 1.0F);
  backward(y, tiny.detach());
  CHECK(tiny.grad().data<float>()[5] == 1.0F);
  CHECK(error_message([] { Tensor::arange(3) / 2.0; }) ==
        "div: needs an f32 or f64 tensor, got i64 [3]; convert it with Tensor::to");
}

TEST_CASE("derivatives at the kinks") {
  CHECK(at(abs, 0.0, DType::f64).derivative == 0.0);
  CHECK(at(relu, 0.0, DType::f64).derivative == 0.0);
  const auto limited = [](const Tensor& x) { return clamp(x, -1.0, 2.0); };
  for (const double x : {-1.0, 0.5, 2.0}) CHECK(at(limited, x, DType::f32).derivative == 1.0);
  for (const double x : {-1.01, 2.01}) CHECK(at(limited, x, DType::f32).derivative == 0.0);
  CHECK(at([](const Tensor& x) { return pow(x, 0.0); }, 0.0, DType::f64).value == 1.0);
  CHECK(at([](const Tensor& x) { return pow(x, 0.0); }, 0.0, DType::f64).derivative == 0.0);
  CHECK(at([](const Tensor& x) { return pow(x, 1.0); }, 0.0, DType::f64).derivative == 1.0);
  CHECK(at([](const Tensor& x) { return pow(x, 2.0); }, 0.0, DType::f64).derivative == 0.0);
}

TEST_CASE("NaN passes through every function of one variable") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Function f :
       {neg, exp, log, sqrt, abs, sigmoid, tanh, relu, gelu, gelu_tanh, silu, softplus, hardswish,
        Function([](const Tensor& x) { return clamp(x, 0, 1); })}) {
    CHECK(std::isnan(at(f, nan, DType::f32).value));
    CHECK(std::isnan(at(f, nan, DType::f64).value));
  }
}

TEST_CASE("neg and affine keep nothing, so their operands may change before backward") {
  const Tensor x = Tensor::full({2}, 3.0, DType::f64);
  x.set_requires_grad(true);
  const Tensor y = neg(x);
  const Tensor z = y * 4.0;
  y.fill_(0.0);
  z.fill_(0.0);
  backward(z, Tensor::ones({2}, DType::f64));
  CHECK(x.grad().data<double>()[1] == -4.0);
}

TEST_CASE("where keeps NaN of the branch that was not chosen out of value and gradient") {
  const Tensor a = Tensor::from<double>({1.0, -1.0}, {2});
  const Tensor b = Tensor::full({2}, 7.0, DType::f64);
  a.set_requires_grad(true);
  const Tensor condition = greater(a, Tensor::zeros({}, DType::f64));
  const Tensor y = where(condition, log(a), b);
  CHECK(y.data<double>()[0] == 0.0);
  CHECK(y.data<double>()[1] == 7.0);
  backward(sum(y));
  CHECK(a.grad().data<double>()[0] == 1.0);
  CHECK(a.grad().data<double>()[1] == 0.0);
}

TEST_CASE("comparisons read f32, f64 and i64, and NaN compares false") {
  const Tensor labels = Tensor::from<int64_t>({4, 9007199254740993}, {2});
  const Tensor others = Tensor::from<int64_t>({5, 9007199254740992}, {2});
  CHECK(less(labels, others).data<uint8_t>()[0] == 1);
  CHECK(greater(labels, others).data<uint8_t>()[1] == 1);
  CHECK(equal(labels, others).data<uint8_t>()[1] == 0);
  const Tensor nan = Tensor::full({1}, std::numeric_limits<double>::quiet_NaN());
  CHECK(equal(nan, nan).data<uint8_t>()[0] == 0);
  CHECK(less(nan, Tensor::ones({1})).data<uint8_t>()[0] == 0);
}

TEST_CASE("a cast carries the gradient back in the dtype it came from") {
  const Tensor x = Tensor::from<double>({1.0, 1.0 / 3.0}, {2});
  x.set_requires_grad(true);
  const Tensor y = cast(x, DType::bf16);
  CHECK(y.dtype() == DType::bf16);
  CHECK(cast(y, DType::f32).data<float>()[1] == 0.333984375F);  // 8 bits of mantissa
  backward(sum(cast(y, DType::f32)));
  CHECK(x.grad().dtype() == DType::f64);
  CHECK(x.grad().data<double>()[1] == 1.0);
  CHECK(cast(x, DType::f64).is_same(x));
}

TEST_CASE("elementwise operations say what does not fit, with the numbers") {
  const Tensor f = Tensor::zeros({2, 3});
  const Tensor d = Tensor::zeros({2, 3}, DType::f64);
  const Tensor i = Tensor::zeros({2, 3}, DType::i64);
  CHECK(error_message([&] { add(f, d); }) ==
        "add: dtypes f32 and f64 differ, shapes [2,3] and [2,3]; use cast");
  CHECK(error_message([&] { mul(i, i); }) ==
        "mul: needs f32 or f64 tensors, got i64, shapes [2,3] and [2,3]; convert them with "
        "Tensor::to");
  CHECK(error_message([&] {
          div(f, Tensor::zeros({4, 3}));
        }) ==
        "div: shapes [2,3] and [4,3] do not broadcast: axis -2 has sizes 2 and 4; reshape one side "
        "so that the sizes agree or are 1");
  CHECK(error_message([&] {
          sub(f, Tensor::zeros({2, 0}));
        }) ==
        "sub: shapes [2,3] and [2,0] do not broadcast: axis -1 has sizes 3 and 0; reshape one side "
        "so that the sizes agree or are 1");
  CHECK(error_message([&] { gelu(i); }) == "gelu: needs an f32 or f64 tensor, got i64 [2,3]");
  CHECK(error_message([&] { exp(Tensor()); }) ==
        "tensor: undefined tensor used; it was default-constructed or is a gradient that does not "
        "exist");
  CHECK(error_message([&] { clamp(f, 1.0, 0.5); }) ==
        "clamp: the bounds [1, 0.5] are the wrong way round");
  CHECK(error_message([&] { where(f, f, f); }) ==
        "where: needs a u8 condition and values of one dtype, got f32, f32 and f32");
  CHECK(error_message([&] { less(f, i); }) ==
        "less: dtypes f32 and i64 differ, shapes [2,3] and [2,3]; use cast");
  CHECK(error_message([&] { equal(f.to(DType::bf16), f.to(DType::bf16)); }) ==
        "equal: needs f32, f64 or i64 tensors, got bf16, shapes [2,3] and [2,3]; convert them with "
        "Tensor::to");
  CHECK(error_message([&] { cast(i, DType::f32); }) ==
        "cast: from i64 to f32, shape [2,3]: both must be floating point; use Tensor::to");
}

}  // namespace
}  // namespace diagrad
