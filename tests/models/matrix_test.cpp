// Every net of the matrix (matrix.h): shapes, gradients, save and load, learning.
#include <doctest/doctest.h>

#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/optim/adamw.h"
#include "tests/models/matrix.h"

namespace diagrad::models {
namespace {

using matrix::Cell;
using matrix::for_each_cell;
using matrix::kClasses;

Tensor labels(int64_t count) {
  const Tensor result = Tensor::empty({count}, DType::i64);
  for (int64_t i = 0; i < count; ++i) result.data<int64_t>()[i] = i % kClasses;
  return result;
}

Tensor loss_of(nn::Module& model, const Tensor& x) {
  const nn::RandomScope random(1, 1);  // the same masks at every call
  return cross_entropy(model.forward(x), labels(x.size(0)));
}

TEST_CASE("matrix: logits have their shape for images of any size") {
  for_each_cell([](const Cell& cell) {
    const auto model = cell.make(1);
    const NoGrad no_grad;
    for (const bool training : {false, true}) {
      model->train(training);
      const nn::RandomScope random(1, 1);
      CHECK(model->forward(cell.images(2, DType::f32)).shape() == Shape{2, kClasses});
      CHECK(model->forward(cell.other_images(3)).shape() == Shape{3, kClasses});
    }
  });
}

/// The parameters with a gradient that is not all zero, after one backward pass; the names of the
/// others go to `dead`.
std::vector<Tensor> alive_parameters(nn::Module& model, const Tensor& x,
                                     std::set<std::string>& dead) {
  backward(loss_of(model, x));
  std::vector<Tensor> alive;
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    double sum = 0.0;
    const Tensor gradient = parameter.tensor.grad();
    for (int64_t i = 0; gradient.defined() && i < gradient.numel(); ++i) {
      sum += std::abs(gradient.data<double>()[i]);
    }
    CHECK_MESSAGE(std::isfinite(sum), parameter.name);
    if (sum == 0.0) {
      dead.insert(parameter.name);
    } else {
      alive.push_back(parameter.tensor);
    }
  }
  return alive;
}

/// One of many ReLUs may have its kink within the step of a difference, which a smaller step does
/// not reach; a wrong rule fails with every step.
autograd::GradcheckResult check_gradients(nn::Module& model, const Tensor& x,
                                          const std::vector<Tensor>& alive) {
  const char* wish = std::getenv("DIAGRAD_MATRIX_ELEMENTS");
  const int64_t elements = wish != nullptr ? std::atoll(wish) : 3;
  autograd::GradcheckResult checked;
  for (const double step : {1e-7, 1e-8, 1e-9}) {
    checked = autograd::gradcheck(
        [&](std::span<const Tensor>) { return std::vector<Tensor>{loss_of(model, x)}; }, alive,
        {.step = step, .max_elements = elements});
    if (checked) break;
  }
  return checked;
}

TEST_CASE("matrix: gradients agree with differences in double precision, and none is dead") {
  for_each_cell([](const Cell& cell) {
    // A ReLU over one or two hidden units may start dead; with another seed it lives.
    constexpr uint64_t kSeeds = 12;
    const Tensor x = cell.images(4, DType::f64);
    std::set<std::string> always_dead;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const auto model = cell.make(seed);
      model->to(DType::f64);
      std::set<std::string> dead;
      const std::vector<Tensor> alive = alive_parameters(*model, x, dead);
      if (seed == 1) {
        always_dead = dead;
        const autograd::GradcheckResult checked = check_gradients(*model, x, alive);
        CHECK_MESSAGE(checked.passed, checked.message);
      }
      std::erase_if(always_dead, [&](const std::string& name) { return dead.count(name) == 0; });
      if (always_dead.empty() || cell.state_is_idle()) break;
    }
    CHECK_MESSAGE((always_dead.empty() || cell.state_is_idle()),
                  "no gradient with any seed: " << fmt::format("{}", fmt::join(always_dead, ", ")));
  });
}

TEST_CASE("matrix: a net given the state of another one gives the same bits") {
  for_each_cell([](const Cell& cell) {
    const auto first = cell.make(1);
    const auto second = cell.make(2);
    const NoGrad no_grad;
    const Tensor x = cell.images(3, DType::f32);
    {
      const nn::RandomScope random(1, 1);
      first->forward(x);  // moves the running statistics
    }
    second->load_state_dict(first->state_dict());
    first->eval();
    second->eval();
    const Tensor a = first->forward(x).contiguous();
    const Tensor b = second->forward(x).contiguous();
    for (int64_t i = 0; i < a.numel(); ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
  });
}

TEST_CASE("matrix: every net overfits one batch") {
  for_each_cell([](const Cell& cell) {
    constexpr int kMostSteps = 300;
    const auto model = cell.make(3);
    const Tensor x = cell.images(6, DType::f32);
    train::Adamw optimizer({{model->named_parameters(), 0.0}}, {});
    const double before = loss_of(*model, x).item();
    double after = before;
    for (int step = 0; step < kMostSteps && after >= 0.1 * before; ++step) {
      optimizer.zero_grad();
      const Tensor loss = loss_of(*model, x);
      after = loss.item();
      backward(loss);
      optimizer.step(0.01);
    }
    CHECK_MESSAGE(after < 0.1 * before, "loss " << before << " to " << after);
  });
}

}  // namespace
}  // namespace diagrad::models
