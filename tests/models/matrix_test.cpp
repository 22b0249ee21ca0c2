// Every variant x sharing x placement x model family. What is registered is tested; nothing is
// listed here but one small net per family.
#include <doctest/doctest.h>

#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <set>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/adamw.h"
#include "tests/support/op_case.h"

namespace diagrad::models {
namespace {

using nn::Placement;
using nn::Sharing;

constexpr int64_t kClasses = 3;
constexpr int64_t kBlocks = 2;  ///< per stage, so that a shared unit is called twice

/// The smallest net of a family with two blocks per stage.
struct Family {
  const char* name;
  const char* model;
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<int64_t> channels;  ///< at pre_add, per stage
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"resnet, basic", "resnet", {{"depth", "14"}, {"width", "4"}}, {4, 8, 16}},
      {"resnet, bottleneck",
       "resnet",
       {{"depth", "20"}, {"block", "bottleneck"}, {"width", "2"}},
       {8, 16, 32}},
  };
  return all;
}

struct Cell {
  const Family& family;
  const nn::AttentionInfo& info;
  Sharing sharing;
  Placement placement;

  std::string attention() const {
    return info.placements.size() > 1 ? info.name + ":at=" + nn::name(placement) : info.name;
  }
  std::string text() const {
    return fmt::format("{}, {}, sharing {}", family.name, attention(), nn::name(sharing));
  }
  std::shared_ptr<nn::Module> make(uint64_t seed) const {
    return create(family.model, {.classes = kClasses,
                                 .input = {8, 8, 3},
                                 .attention = attention(),
                                 .sharing = nn::name(sharing),
                                 .options = family.options,
                                 .seed = seed});
  }
  /// A unit with a memory that serves one call sees the empty state only: the weights that read
  /// the state have no gradient, by the mathematics.
  bool state_is_idle() const { return info.carries_state && sharing == Sharing::block; }
};

/// Calls `visit` for every cell; the default placement with every sharing, the others shared by
/// the stage.
void for_each_cell(const std::function<void(const Cell&)>& visit) {
  int64_t count = 0;
  for (const Family& family : families()) {
    for (const nn::AttentionInfo& info : nn::attention_variants()) {
      for (const Placement placement : info.placements) {
        for (const Sharing sharing : {Sharing::block, Sharing::stage, Sharing::network}) {
          if (placement != info.placements.front() && sharing != Sharing::stage) continue;
          const Cell cell{family, info, sharing, placement};
          CAPTURE(cell.text());
          visit(cell);
          ++count;
        }
      }
    }
  }
  MESSAGE(count << " combinations");
  CHECK(count >= static_cast<int64_t>(families().size()) * 3 * 4);
}

Tensor pictures(const Shape& shape, DType dtype) {
  RandomStream random(7, stream_id("pictures"));
  return uniform(shape, -1.0, 1.0, random, dtype);
}

Tensor labels(int64_t count) {
  const Tensor result = Tensor::empty({count}, DType::i64);
  for (int64_t i = 0; i < count; ++i) result.data<int64_t>()[i] = i % kClasses;
  return result;
}

Tensor loss_of(nn::Module& model, const Tensor& x) {
  const nn::RandomScope random(1, 1);  // the same masks at every call
  return cross_entropy(model.forward(x), labels(x.size(0)));
}

TEST_CASE("matrix: logits have their shape for pictures of any size") {
  for_each_cell([](const Cell& cell) {
    const auto model = cell.make(1);
    const NoGrad no_grad;
    for (const bool training : {false, true}) {
      model->train(training);
      const nn::RandomScope random(1, 1);
      CHECK(model->forward(pictures({2, 8, 8, 3}, DType::f32)).shape() == Shape{2, kClasses});
      CHECK(model->forward(pictures({3, 9, 7, 3}, DType::f32)).shape() == Shape{3, kClasses});
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

TEST_CASE("matrix: gradients agree with differences in double precision, and none is dead") {
  for_each_cell([](const Cell& cell) {
    // A ReLU over one or two hidden units may start dead; with another seed it lives.
    constexpr uint64_t kSeeds = 12;
    const Tensor x = pictures({4, 8, 8, 3}, DType::f64);
    std::set<std::string> always_dead;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const auto model = cell.make(seed);
      model->to(DType::f64);
      std::set<std::string> dead;
      const std::vector<Tensor> alive = alive_parameters(*model, x, dead);
      if (seed == 1) {
        always_dead = dead;
        const auto result = autograd::gradcheck(
            [&](std::span<const Tensor>) { return std::vector<Tensor>{loss_of(*model, x)}; }, alive,
            {.step = 1e-7, .max_elements = 3});
        CHECK_MESSAGE(result.passed, result.message);
      }
      std::erase_if(always_dead, [&](const std::string& name) { return dead.count(name) == 0; });
      if (always_dead.empty() || cell.state_is_idle()) break;
    }
    CHECK_MESSAGE((always_dead.empty() || cell.state_is_idle()),
                  "no gradient with any seed: " << fmt::format("{}", fmt::join(always_dead, ", ")));
  });
}

TEST_CASE("matrix: the parameters of the units are those of the closed form") {
  for_each_cell([](const Cell& cell) {
    const nn::AttentionFactory factory(cell.attention(), nn::name(cell.sharing));
    int64_t counted = 0;
    for (const nn::NamedTensor& parameter : cell.make(1)->named_parameters()) {
      if (parameter.name.find("attention.") != std::string::npos) {
        counted += parameter.tensor.numel();
      }
    }
    int64_t expected = 0;
    for (const int64_t width : cell.family.channels) {
      const bool wide =
          cell.placement == Placement::pre_add || cell.placement == Placement::in_norm;
      const bool narrowed = !wide && std::string(cell.family.name) == "resnet, bottleneck";
      const int64_t units = cell.sharing == Sharing::block ? kBlocks : 1;
      expected += units * factory.parameters(
                              {.channels = narrowed ? width / 4 : width, .calls = kBlocks / units});
    }
    CHECK(counted == expected);
  });
}

TEST_CASE("matrix: a net given the state of another one gives the same bits") {
  for_each_cell([](const Cell& cell) {
    const auto first = cell.make(1);
    const auto second = cell.make(2);
    const NoGrad no_grad;
    const Tensor x = pictures({3, 8, 8, 3}, DType::f32);
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

TEST_CASE("matrix: every net learns one batch by heart") {
  for_each_cell([](const Cell& cell) {
    constexpr int kSteps = 60;
    const auto model = cell.make(3);
    const Tensor x = pictures({6, 8, 8, 3}, DType::f32);
    train::Adamw optimizer({{model->named_parameters(), 0.0}}, {});
    const double before = loss_of(*model, x).item();
    for (int step = 0; step < kSteps; ++step) {
      optimizer.zero_grad();
      backward(loss_of(*model, x));
      optimizer.step(0.02);
    }
    const double after = loss_of(*model, x).item();
    CHECK_MESSAGE(after < 0.1 * before, "loss " << before << " to " << after);
  });
}

TEST_CASE("arms of one seed differ in their attention alone") {
  for (const nn::AttentionInfo& info : nn::attention_variants()) {
    if (info.placements.front() == Placement::replaces_conv) continue;
    const auto plain =
        create("resnet8", {.input = {8, 8, 3}, .attention = "none", .seed = 5})->state_dict();
    const auto other =
        create("resnet8", {.input = {8, 8, 3}, .attention = info.name, .seed = 5})->state_dict();
    for (const auto& entry : plain) {
      const Tensor& tensor = entry.second;
      const Tensor& same = other.at(entry.first);
      bool equal = tensor.numel() == same.numel();
      for (int64_t i = 0; equal && i < tensor.numel(); ++i) {
        equal = tensor.data<float>()[i] == same.data<float>()[i];
      }
      CHECK_MESSAGE(equal, info.name << ": " << entry.first);
    }
  }
}

}  // namespace
}  // namespace diagrad::models
