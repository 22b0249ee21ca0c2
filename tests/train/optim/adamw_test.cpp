#include "diagrad/train/optim/adamw.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/nn/safetensors.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using testing::error_message;

/// Algorithm 2 of Loshchilov and Hutter, "Decoupled weight decay regularization", in extended
/// precision, for one number whose gradients begin at any step of the run: t counts its own.
class Reference {
 public:
  Reference(long double start, const AdamwOptions& options, long double weight_decay)
      : theta_(start), options_(options), weight_decay_(weight_decay) {}

  void step(long double rate, long double gradient) {
    ++t_;
    const long double beta1 = options_.beta1;
    const long double beta2 = options_.beta2;
    m_ = beta1 * m_ + (1.0L - beta1) * gradient;
    v_ = beta2 * v_ + (1.0L - beta2) * gradient * gradient;
    const long double mean = m_ / (1.0L - std::pow(beta1, t_));
    const long double square = v_ / (1.0L - std::pow(beta2, t_));
    theta_ -= rate * (mean / (std::sqrt(square) + static_cast<long double>(options_.epsilon)) +
                      weight_decay_ * theta_);
  }
  double value() const { return static_cast<double>(theta_); }

 private:
  long double theta_;
  AdamwOptions options_;
  long double weight_decay_;
  long double m_ = 0.0L;
  long double v_ = 0.0L;
  long double t_ = 0.0L;
};

NamedParameter parameter(const std::string& name, const Tensor& value) {
  value.set_requires_grad(true);
  return {name, value};
}

double gradient_at(int step) {
  return std::sin(0.37 * step) + 0.2;
}

double rate_at(int step) {
  return 1e-3 * (1.0 + 0.5 * std::cos(0.01 * step));
}

/// Two parameters, the second with its first gradient at step 1001, and their reference.
struct LateStart {
  static constexpr int kFirst = 1001;
  static constexpr double kDecay = 0.01;

  NamedParameter early = parameter("early", Tensor::full({1}, 0.7, DType::f64));
  NamedParameter late = parameter("late", Tensor::full({1}, -0.3, DType::f64));
  Reference early_reference{0.7L, {}, kDecay};
  Reference late_reference{-0.3L, {}, kDecay};

  std::unique_ptr<Adamw> make() const {
    return std::make_unique<Adamw>(std::vector<ParameterGroup>{{{early, late}, kDecay}},
                                   AdamwOptions{});
  }

  void step(Adamw& optimizer, int number) {
    const double gradient = gradient_at(number);
    early.tensor.set_grad(Tensor::full({1}, gradient, DType::f64));
    early_reference.step(rate_at(number), gradient);
    if (number >= kFirst) {
      late.tensor.set_grad(Tensor::full({1}, 3.0 * gradient, DType::f64));
      late_reference.step(rate_at(number), 3.0 * gradient);
    }
    optimizer.step(rate_at(number));
  }

  void check() const {
    for (const auto& pair : {std::pair(early, early_reference), std::pair(late, late_reference)}) {
      CAPTURE(pair.first.name);
      const double expected = pair.second.value();
      CHECK(std::abs(pair.first.tensor.item() - expected) <= 1e-12 * std::abs(expected));
    }
  }
};

TEST_CASE("adamw corrects a parameter that starts at step 1001 by its own steps, also resumed") {
  const testing::TemporaryFolder folder;
  LateStart run;
  auto optimizer = run.make();
  for (int step = 1; step <= 1020; ++step) {
    run.step(*optimizer, step);
    if (step >= 1000) run.check();
    if (step != 500 && step != 1000 && step != 1007) continue;
    // Saved, made anew and restored, as a resumed run does.
    const std::string path = folder.path("state.safetensors");
    nn::write_safetensors(path, optimizer->state());
    optimizer = run.make();
    const auto report = nn::load(optimizer->state(), nn::SafetensorsReader(path).read_all());
    CHECK(report.complete());
  }
  CHECK(optimizer->state().at("step.late").item() == 20.0);
}

/// What an f32 parameter that starts at 0 is after one step of rate 0.001.
double first_step(const AdamwOptions& options, double gradient) {
  const NamedParameter p = parameter("p", Tensor::zeros({1}));
  Adamw optimizer({{{p}, 0.0}}, options);
  p.tensor.set_grad(Tensor::full({1}, gradient));
  optimizer.step(1e-3);
  return p.tensor.item();
}

TEST_CASE("the first step of adamw in f32 is the rate against the gradient, whatever the betas") {
  for (const double beta2 : {0.0, 0.9, 0.999, 0.9999999, 0.99999999, 1.0 - 1e-12}) {
    for (const double beta1 : {0.0, 0.9, 0.9999999, 0.99999999, 1.0 - 1e-12}) {
      for (const double gradient : {0.5, -3.0, 40.0}) {
        CAPTURE(beta1);
        CAPTURE(beta2);
        CAPTURE(gradient);
        const double expected = gradient > 0.0 ? -1e-3 : 1e-3;
        const double got = first_step({beta1, beta2, 1e-8}, gradient);
        CHECK(std::abs(got - expected) <= 4e-7 * 1e-3);
      }
    }
  }
}

TEST_CASE("adamw in f32 follows f64 through steps with betas near 1") {
  const auto run = [](DType dtype) {
    const NamedParameter p = parameter("p", Tensor::zeros({1}, dtype));
    Adamw optimizer({{{p}, 0.0}}, {.beta1 = 0.9999, .beta2 = 0.9999999, .epsilon = 1e-8});
    for (int step = 1; step <= 200; ++step) {
      p.tensor.set_grad(Tensor::full({1}, gradient_at(step), dtype));
      optimizer.step(1e-3);
    }
    return p.tensor.item();
  };
  CHECK(run(DType::f32) == doctest::Approx(run(DType::f64)).epsilon(1e-5));
}

TEST_CASE("a weight decay of 2e-7 per step is not rounded to a multiple of the distance below 1") {
  // 1 - 2e-7 is 3.4 times that distance in f32: as a factor it would be 1 - 1.79e-7. The rounding
  // of the parameters themselves averages out.
  RandomStream random(1, 1);
  const NamedParameter p = parameter("p", uniform({100000}, 0.5, 1.0, random));
  const Tensor before = p.tensor.to(DType::f64);
  Adamw optimizer({{{p}, 2e-4}}, {});
  p.tensor.set_grad(Tensor::zeros({100000}));
  optimizer.step(1e-3);
  const Tensor after = p.tensor.to(DType::f64);
  double lost = 0.0;
  double whole = 0.0;
  for (int64_t i = 0; i < before.numel(); ++i) {
    lost += before.data<double>()[i] - after.data<double>()[i];
    whole += before.data<double>()[i];
  }
  CHECK(lost / whole == doctest::Approx(2e-7).epsilon(0.02));
}

TEST_CASE("adamw refuses betas and an epsilon that its formula cannot have") {
  const auto complaint = [](const AdamwOptions& options) {
    return error_message([&] { Adamw({}, options); });
  };
  CHECK(complaint({.beta1 = 1.0}) ==
        "optimizer: adamw with beta1 1, beta2 0.999, epsilon 1e-08; betas must lie in [0, 1), "
        "epsilon must not be negative");
  CHECK_FALSE(complaint({.beta1 = -0.1}).empty());
  CHECK_FALSE(complaint({.beta2 = 1.0}).empty());
  CHECK_FALSE(complaint({.beta2 = -0.1}).empty());
  CHECK_FALSE(complaint({.epsilon = -1e-8}).empty());
  CHECK(complaint({.beta1 = 0.0, .beta2 = 0.0, .epsilon = 0.0}).empty());
}

}  // namespace
}  // namespace diagrad::train
