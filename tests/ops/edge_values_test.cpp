// Values at the edges: NaN, infinities, and differences that rounding would swallow. The expected
// values are exact or PyTorch's.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/conv_batch_norm.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/lstm_gates.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/softmax.h"
#include "diagrad/ops/unary.h"
#include "tests/support/edge_values.h"

namespace diagrad {
namespace {

using testing::kInf;
using testing::kNan;
using testing::values;
using testing::vector_of;
using Function = std::function<Tensor(const Tensor&)>;

constexpr DType kFloating[] = {DType::f32, DType::f64};

/// dx of f at x for the gradient dy of its result, as doubles.
std::vector<double> gradient(const Function& f, const Tensor& x, const Tensor& dy) {
  const Tensor input = x.clone().set_requires_grad(true);
  return values(autograd::grad({f(input)}, {input}, {dy})[0]);
}

#define DG_CHECK_VALUES(got, ...) CHECK(testing::differences(got, __VA_ARGS__) == "")

struct UnaryEdges {
  const char* name;
  Function f;
  std::vector<double> results;      ///< at NaN, infinity and -infinity
  std::vector<double> derivatives;  ///< there, for dy = 1
};

TEST_CASE("functions of one variable and their derivatives at NaN and infinity") {
  const auto square = [](const Tensor& x) { return pow(x, 2.0); };
  const auto cut = [](const Tensor& x) { return clamp(x, -1.0, 1.0); };
  const std::vector<UnaryEdges> table = {
      {"neg", neg, {kNan, -kInf, kInf}, {-1, -1, -1}},
      {"exp", exp, {kNan, kInf, 0}, {kNan, kInf, 0}},
      {"log", log, {kNan, kInf, kNan}, {kNan, 0, 0}},
      {"sqrt", sqrt, {kNan, kInf, kNan}, {kNan, 0, kNan}},
      {"abs", abs, {kNan, kInf, kInf}, {0, 1, -1}},
      {"pow 2", square, {kNan, kInf, kInf}, {kNan, kInf, -kInf}},
      {"pow 1", [](const Tensor& x) { return pow(x, 1.0); }, {kNan, kInf, -kInf}, {1, 1, 1}},
      {"pow 0", [](const Tensor& x) { return pow(x, 0.0); }, {1, 1, 1}, {0, 0, 0}},
      {"clamp", cut, {kNan, 1, -1}, {0, 0, 0}},
      {"affine", [](const Tensor& x) { return 2.0 * x + 3.0; }, {kNan, kInf, -kInf}, {2, 2, 2}},
      {"sigmoid", sigmoid, {kNan, 1, 0}, {kNan, 0, 0}},
      {"tanh", tanh, {kNan, 1, -1}, {kNan, 0, 0}},
      {"relu", relu, {kNan, kInf, 0}, {1, 1, 0}},
      {"gelu", gelu, {kNan, kInf, kNan}, {kNan, kNan, kNan}},
      {"gelu_tanh", gelu_tanh, {kNan, kInf, kNan}, {kNan, kNan, kNan}},
      {"silu", silu, {kNan, kInf, kNan}, {kNan, kNan, kNan}},
      {"softplus", softplus, {kNan, kInf, 0}, {kNan, 1, 0}},
      {"hardswish", hardswish, {kNan, kInf, kNan}, {kNan, 1, 0}},
  };
  for (const DType dtype : kFloating) {
    const Tensor x = vector_of({kNan, kInf, -kInf}, dtype);
    for (const UnaryEdges& edges : table) {
      INFO(edges.name << " " << name(dtype));
      DG_CHECK_VALUES(values(edges.f(x)), edges.results);
      DG_CHECK_VALUES(gradient(edges.f, x, Tensor::ones_like(x)), edges.derivatives);
    }
  }
}

TEST_CASE("where a derivative is 0 by definition, an infinite gradient gives 0") {
  for (const DType dtype : kFloating) {
    const Tensor dy = vector_of({kInf, kNan}, dtype);
    const auto at = [&](double x, const Function& f) {
      return gradient(f, vector_of({x, x}, dtype), dy);
    };
    const std::vector<double> zeros = {0, 0};
    DG_CHECK_VALUES(at(-1.0, relu), zeros);
    DG_CHECK_VALUES(at(-4.0, hardswish), zeros);
    DG_CHECK_VALUES(at(2.0, [](const Tensor& x) { return clamp(x, -1.0, 1.0); }), zeros);
    DG_CHECK_VALUES(at(2.0, [](const Tensor& x) { return pow(x, 0.0); }), zeros);
    const std::vector<double> products = {kNan, kNan};
    DG_CHECK_VALUES(at(0.0, abs), products);  // sign(0) * dy, as in PyTorch
  }
}

TEST_CASE("quotients and their derivatives at 0 and infinity") {
  const Tensor a = vector_of({1, 0, 1, kInf, kInf}, DType::f64).set_requires_grad(true);
  const Tensor b = vector_of({0, 0, kInf, 1, kInf}, DType::f64).set_requires_grad(true);
  const Tensor y = div(a, b);
  DG_CHECK_VALUES(values(y), {kInf, kNan, 0, kInf, kNan});
  const auto gradients = autograd::grad({y}, {a, b}, {Tensor::ones_like(y)});
  DG_CHECK_VALUES(values(gradients[0]), {kInf, kInf, 0, 1, 0});
  DG_CHECK_VALUES(values(gradients[1]), {-kInf, kNan, 0, -kInf, kNan});
}

TEST_CASE("a product of -0 keeps its sign") {
  CHECK(std::signbit(mul(vector_of({0.0}, DType::f32), -1.0).item()));
  CHECK(std::signbit(mul(vector_of({-0.0}, DType::f64), 3.0).item()));
}

/// 0.0625 above 1e6 once: the mean 1000000.015625 is no f32.
const std::vector<double> kLarge = {1000000.0625, 1e6, 1e6, 1e6};
constexpr double kLargeVariance = 9.765625e-4;  // unbiased

TEST_CASE("var takes differences from a mean that is not rounded") {
  const Tensor x = vector_of(kLarge, DType::f32);
  CHECK(var(x).item() == kLargeVariance);
  CHECK(var(x, {.unbiased = false}).item() == 0.75 * kLargeVariance);
  DG_CHECK_VALUES(gradient([](const Tensor& v) { return var(v); }, x, Tensor::ones({})),
                  {0.03125, -0.03125 / 3, -0.03125 / 3, -0.03125 / 3}, 1e-7);
  // Many rows, each made by one thread.
  const Tensor rows = x.strided({40, 4}, {0, 1});
  const Tensor variances = var(rows, {.axes = {1}});
  for (int64_t i = 0; i < 40; ++i) CHECK(variances.data<float>()[i] == 9.765625e-4F);
  // In f64 the sum itself is rounded.
  CHECK(var(vector_of({1e15 + 0.125, 1e15, 1e15, 1e15}, DType::f64)).item() == 0.00390625);
}

TEST_CASE("normalisations take differences from a mean that is not rounded") {
  const double rstd = 1.0 / std::sqrt(0.75 * kLargeVariance + 1e-5);
  const std::vector<double> normal = {0.046875 * rstd, -0.015625 * rstd, -0.015625 * rstd,
                                      -0.015625 * rstd};
  const Tensor x = vector_of(kLarge, DType::f32);
  const Tensor running_mean = Tensor::zeros({1});
  const Tensor running_var = Tensor::zeros({1});
  const Tensor y = batch_norm(x.strided({4, 1}, {1, 1}), {}, {}, running_mean, running_var,
                              {.training = true, .momentum = 1.0});
  DG_CHECK_VALUES(values(y), normal, 1e-6);
  CHECK(running_var.item() == kLargeVariance);
  DG_CHECK_VALUES(values(layer_norm(x.strided({1, 4}, {4, 1}), {}, {})), normal, 1e-6);
  DG_CHECK_VALUES(values(group_norm(x.strided({1, 4, 1}, {4, 1, 1}), {}, {}, {.groups = 1})),
                  normal, 1e-6);
}

TEST_CASE("var at infinity: NaN, and the gradient of each value is that of its difference") {
  const Tensor x = vector_of({kInf, 1, 2}, DType::f32);
  CHECK(std::isnan(var(x).item()));
  DG_CHECK_VALUES(gradient([](const Tensor& v) { return var(v); }, x, Tensor::ones({})),
                  {kNan, -kInf, -kInf});
}

TEST_CASE("the logistic loss of an infinite logit on the wrong side is infinite") {
  for (const DType dtype : kFloating) {
    const auto loss = [dtype](double x, double y) {
      return bce_with_logits(vector_of({x}, dtype), vector_of({y}, dtype)).item();
    };
    CHECK(loss(kInf, 0.0) == kInf);
    CHECK(loss(kInf, 0.5) == kInf);
    CHECK(std::isnan(loss(kInf, 1.0)));  // 0 times infinity, as in PyTorch
    CHECK(std::isnan(loss(-kInf, 0.0)));
    CHECK(std::isnan(loss(kNan, 0.0)));
    const auto dx = [dtype](double y) {
      return gradient(
          [&](const Tensor& x) {
            return bce_with_logits(x, vector_of({y, y}, dtype));
          },
          vector_of({kInf, -kInf}, dtype), Tensor::full({}, 2.0, dtype));
    };
    DG_CHECK_VALUES(dx(0.0), {1, 0});
    DG_CHECK_VALUES(dx(1.0), {0, -1});
  }
}

TEST_CASE("cross entropy keeps the digits of a small loss beside large logits") {
  const Tensor logits = Tensor::from<double>({1012, 1000, 995}, {1, 3});
  const Tensor label = Tensor::from<int64_t>({0}, {1});
  const double exact = std::log1p(std::exp(-12.0) + std::exp(-17.0));
  CHECK(cross_entropy(logits, label).item() == doctest::Approx(exact).epsilon(1e-14));
  const Tensor target = Tensor::from<double>({1, 0, 0}, {1, 3});
  CHECK(cross_entropy_soft(logits, target).item() == doctest::Approx(exact).epsilon(1e-14));
  const double smooth = 0.7 * exact + 0.1 * (3.0 * exact + 12.0 + 17.0);
  CHECK(cross_entropy(logits, label, {.label_smoothing = 0.3}).item() ==
        doctest::Approx(smooth).epsilon(1e-14));
  const double first = std::exp(-exact);
  DG_CHECK_VALUES(gradient([&](const Tensor& x) { return cross_entropy(x, label); }, logits,
                           Tensor::ones({}, DType::f64)),
                  {first - 1.0, first * std::exp(-12.0), first * std::exp(-17.0)}, 1e-10);
}

TEST_CASE("cross entropy and softmax at infinity") {
  for (const DType dtype : kFloating) {
    const auto logits = [dtype](const std::vector<double>& row) {
      return vector_of(row, dtype).strided({1, 3}, {3, 1});
    };
    const auto loss = [&](const std::vector<double>& row) {
      return cross_entropy(logits(row), Tensor::from<int64_t>({0}, {1})).item();
    };
    CHECK(loss({-kInf, 0, 0}) == kInf);
    CHECK(loss({0, -kInf, 0}) == doctest::Approx(std::log(2.0)));
    CHECK(std::isnan(loss({kInf, 0, 0})));
    CHECK(std::isnan(loss({0, kNan, 0})));
    CHECK(std::isnan(loss({-kInf, -kInf, -kInf})));
    DG_CHECK_VALUES(values(softmax(logits({0, -kInf, 0}), 1)), {0.5, 0, 0.5});
    DG_CHECK_VALUES(values(softmax(logits({0, kInf, 0}), 1)), {kNan, kNan, kNan});
    DG_CHECK_VALUES(values(log_softmax(logits({0, -kInf, kNan}), 1)), {kNan, kNan, kNan});
  }
}

TEST_CASE("a relu passes the gradient at NaN, also in the operations that end with one") {
  for (const DType dtype : kFloating) {
    INFO(name(dtype));
    const Tensor x = vector_of({kNan, -1, 0, 2}, dtype).strided({1, 4, 1}, {4, 1, 1});
    const Tensor dy = vector_of({3, 5, 7, 11}, dtype).strided({1, 4, 1}, {4, 1, 1});
    const std::vector<double> passed = {3, 0, 0, 11};
    const Tensor zeros = Tensor::zeros(x.shape(), dtype);
    const Tensor ones = Tensor::ones({1, 1}, dtype);
    DG_CHECK_VALUES(gradient(relu, x, dy), passed);
    DG_CHECK_VALUES(
        gradient([&](const Tensor& v) { return channel_scale_add_relu(v, ones, zeros); }, x, dy),
        passed);
    DG_CHECK_VALUES(
        gradient([&](const Tensor& r) { return channel_scale_add_relu(zeros, ones, r); }, x, dy),
        passed);
    const Tensor mean = Tensor::zeros({1}, dtype);
    const Tensor var = Tensor::full({1}, 1.0 - 1e-5, dtype);
    DG_CHECK_VALUES(
        gradient([&](const Tensor& v) { return batch_norm_relu(v, {}, {}, mean, var); }, x, dy),
        passed, 1e-6);
    const auto join = [&](const Tensor& v, const Tensor& r) {
      return BnScaleAddRelu(v, {}, {}, mean, var).add_relu(r);
    };
    DG_CHECK_VALUES(gradient([&](const Tensor& v) { return join(v, zeros); }, x, dy), passed, 1e-6);
    DG_CHECK_VALUES(gradient([&](const Tensor& r) { return join(zeros, r); }, x, dy), passed);
  }
}

TEST_CASE("batch_norm_relu of a channel with a NaN: dbeta is the sum of dy, dgamma is NaN") {
  for (const DType dtype : kFloating) {
    const Tensor gamma = Tensor::ones({1}, dtype).set_requires_grad(true);
    const Tensor beta = Tensor::zeros({1}, dtype).set_requires_grad(true);
    const Tensor dy = vector_of({3, 5, 7}, dtype).strided({1, 3, 1, 1}, {3, 1, 1, 1});
    for (const double bad : {kNan, kInf}) {
      const Tensor x = vector_of({bad, 1, 2}, dtype).strided({1, 3, 1, 1}, {3, 1, 1, 1});
      const BatchNormOptions training{.training = true};
      const Tensor w = Tensor::ones({1, 1, 1, 1}, dtype);
      for (const Tensor& y : {batch_norm_relu(x, gamma, beta, {}, {}, training),
                              conv_batch_norm_relu(x, {w}, gamma, beta, {}, {}, training)}) {
        const auto gradients = autograd::grad({y}, {gamma, beta}, {dy});
        CHECK(std::isnan(gradients[0].item()));
        CHECK(gradients[1].item() == 15.0);
      }
    }
  }
}

TEST_CASE("the relu output of LSTM gates passes the gradient at NaN and selects 0 below") {
  // u_i = u_f = u_o = 0, so c = c_prev / 2 for g = 0.
  const Tensor u = Tensor::zeros({3, 4}, DType::f64);
  const Tensor c_prev = vector_of({kNan, -2, 2}, DType::f64).strided({3, 1}, {1, 1});
  const auto h = [&](const Tensor& c) { return lstm_gates(u, c, {.output = GateOutput::relu}).h; };
  const Tensor dh = vector_of({4, kInf, 4}, DType::f64).strided({3, 1}, {1, 1});
  DG_CHECK_VALUES(gradient(h, c_prev, dh), {1, 0, 1});
}

TEST_CASE("the running mean of a batch with an infinity is infinite, and stays so") {
  for (const DType dtype : kFloating) {
    for (const std::vector<double>& batch : std::vector<std::vector<double>>{
             {kInf, 1, 2}, {1, kInf, 2}, {1, 2, kInf}, {kInf, kInf, 2}}) {
      const Tensor x = vector_of(batch, dtype).strided({3, 1, 1}, {1, 1, 1});
      const Tensor mean = Tensor::zeros({1}, dtype);
      const Tensor var = Tensor::ones({1}, dtype);
      const BatchNormOptions training{.training = true};
      batch_norm(x, {}, {}, mean, var, training);
      CHECK(mean.item() == kInf);
      CHECK(std::isnan(var.item()));
      batch_norm(vector_of({1, 2, 3}, dtype).strided({3, 1}, {1, 1}), {}, {}, mean, var, training);
      CHECK(mean.item() == kInf);
      const Tensor joined = Tensor::zeros({1}, dtype);
      BnScaleAddRelu(x, {}, {}, joined, var, training);
      CHECK(joined.item() == kInf);
    }
    const Tensor mean = Tensor::zeros({2}, dtype);
    const Tensor var = Tensor::ones({2}, dtype);
    const Tensor both = vector_of({kInf, 1, -kInf, 2, 5, 3}, dtype).strided({3, 2}, {2, 1});
    batch_norm(both, {}, {}, mean, var, {.training = true, .momentum = 1.0});
    DG_CHECK_VALUES(values(mean), {kNan, 2});
  }
}

TEST_CASE("in evaluation, batch norm of an infinity has finite gradients") {
  for (const DType dtype : kFloating) {
    const Tensor x = vector_of({kInf, -kInf, kNan, 2}, dtype).strided({1, 4, 1}, {4, 1, 1});
    const Tensor dy = vector_of({3, 5, 7, 11}, dtype).strided({1, 4, 1}, {4, 1, 1});
    const Tensor mean = Tensor::zeros({1}, dtype);
    const Tensor var = Tensor::full({1}, 1.0 - 1e-5, dtype);
    const auto normal = [&](const Tensor& v) { return batch_norm(v, {}, {}, mean, var); };
    DG_CHECK_VALUES(values(normal(x)), {kInf, -kInf, kNan, 2}, 1e-6);
    DG_CHECK_VALUES(gradient(normal, x, dy), {3, 5, 7, 11}, 1e-6);
    const Tensor large = vector_of({1, 1, 1, 1}, dtype).strided(x.shape(), x.strides());
    const auto join = [&](const Tensor& v) {
      return BnScaleAddRelu(v, {}, {}, mean, var).add_relu(large);
    };
    DG_CHECK_VALUES(gradient(join, x, dy), {3, 0, 7, 11}, 1e-6);
    const auto pooled = [&](const Tensor& v) {
      return BnScaleAddRelu(v, {}, {}, mean, var).pooled();
    };
    DG_CHECK_VALUES(gradient(pooled, x, Tensor::full({1, 1}, 4.0, dtype)), {1, 1, 1, 1}, 1e-6);
  }
}

TEST_CASE("the pooled activations of a join are infinite where an activation is") {
  const Tensor x = vector_of({1, kInf, 2, 3}, DType::f32).strided({1, 4, 1}, {4, 1, 1});
  const BnScaleAddRelu join(x, {}, {}, Tensor::zeros({1}), Tensor::ones({1}));
  CHECK(join.pooled().item() == kInf);
  CHECK(global_avg_pool(x).item() == kInf);
}

TEST_CASE("dropout is a product: a dropped NaN stays, a dropped infinity becomes NaN") {
  using Drop = Tensor (*)(const Tensor&, const DropoutOptions&);
  for (const Drop drop : {Drop(dropout), Drop(drop_path)}) {
    for (const double p : {0.0, 0.3, 1.0}) {
      const auto run = [&](double value) {
        return drop(Tensor::full({257, 3}, value), {.p = p, .seed = 3});
      };
      const Tensor kept = run(1.0);
      const Tensor from_inf = run(kInf);
      const Tensor from_nan = run(kNan);
      int64_t dropped = 0;
      for (int64_t i = 0; i < kept.numel(); ++i) {
        const bool drops = kept.data<float>()[i] == 0.0F;
        dropped += drops ? 1 : 0;
        CHECK(std::isnan(from_nan.data<float>()[i]));
        CHECK(std::isnan(from_inf.data<float>()[i]) == drops);
      }
      CHECK((dropped > 0) == (p > 0.0));
      const auto dx = gradient([&](const Tensor& x) { return drop(x, {.p = p, .seed = 3}); },
                               Tensor::ones(kept.shape()), Tensor::full(kept.shape(), kInf));
      for (size_t i = 0; i < dx.size(); ++i) {
        CHECK(std::isnan(dx[i]) == (kept.data<float>()[i] == 0.0F));
      }
    }
  }
}

TEST_CASE("an infinite running mean with a finite variance normalises to infinity") {
  const Tensor x = vector_of({1, 2}, DType::f32).strided({2, 1}, {1, 1});
  const Tensor mean = vector_of({kInf}, DType::f32);
  DG_CHECK_VALUES(values(batch_norm(x, {}, {}, mean, Tensor::ones({1}))), {-kInf, -kInf});
}

TEST_CASE("max and max_pool2d give NaN, and the gradient goes to it") {
  const Tensor x = vector_of({1, kNan, kInf, 4}, DType::f64).strided({1, 2, 2, 1}, {4, 2, 1, 1});
  const auto pool = [](const Tensor& v) { return max_pool2d(v, {.kernel = 2}); };
  DG_CHECK_VALUES(gradient(pool, x, Tensor::ones({1, 1, 1, 1}, DType::f64)), {0, 1, 0, 0});
  DG_CHECK_VALUES(gradient([](const Tensor& v) { return max(v); }, x, Tensor::ones({}, DType::f64)),
                  {0, 1, 0, 0});
}

}  // namespace
}  // namespace diagrad
