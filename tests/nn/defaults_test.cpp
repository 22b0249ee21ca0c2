#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "diagrad/nn/attention/plan.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/embedding.h"
#include "diagrad/nn/gradcheck_module.h"
#include "diagrad/nn/group_norm.h"
#include "diagrad/nn/init.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

// What a caller who says nothing gets, which is what PyTorch does. Other tests say what they need,
// so that a changed default shows here alone.

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.contiguous().raw_data(), b.contiguous().raw_data(),
                     static_cast<size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

Tensor random_of(const Shape& shape) {
  RandomStream random(3, 1);
  return normal(shape, 0.0, 1.0, random);
}

double largest(const Tensor& x) {
  double most = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(x.data<float>()[i])));
  }
  return most;
}

TEST_CASE(
    "defaults of Conv2d: kernel 1, stride 1, no padding, one group, a bias, uniform weights") {
  const Tensor x = random_of({2, 6, 5, 4});
  RandomStream random(1, 1);
  Conv2d conv({.in_channels = 4, .out_channels = 300}, random);
  const StateDict state = conv.state_dict();
  CHECK(state.at("weight").shape() == Shape{300, 1, 1, 4});
  REQUIRE(state.count("bias") == 1);
  CHECK(equal(conv.forward(x), conv2d(x, state.at("weight"), state.at("bias"),
                                      {.stride = 1, .padding = 0, .dilation = 1, .groups = 1})));
  // U(-1/sqrt(fan in), 1/sqrt(fan in)), of 1,200 values.
  CHECK(largest(state.at("weight")) <= 0.5);
  CHECK(largest(state.at("weight")) > 0.49);
  Conv2d wide({.in_channels = 4, .out_channels = 2, .kernel = 3}, random);
  CHECK(wide.forward(x).shape() == Shape{2, 4, 3, 2});
}

TEST_CASE("defaults of Linear, dropout and normalisations") {
  RandomStream random(1, 1);
  CHECK(Linear({.in_features = 2, .out_features = 3}, random).bias().defined());
  CHECK(DropoutSpec{}.p == 0.5);
  const Tensor x = random_of({2, 3, 4});
  LayerNorm layer({.features = 4});
  CHECK(layer.state_dict().size() == 2);
  CHECK(equal(layer.forward(x * 1e-3F),
              layer_norm(x * 1e-3F, Tensor::ones({4}), Tensor::zeros({4}), 1e-5)));
  GroupNorm group({.groups = 2, .channels = 4});
  CHECK(group.state_dict().size() == 2);
  CHECK(equal(group.forward(x * 1e-3F), group_norm(x * 1e-3F, Tensor::ones({4}), Tensor::zeros({4}),
                                                   {.groups = 2, .epsilon = 1e-5})));
  BatchNorm2d batch({.channels = 4});
  const Tensor mean = Tensor::zeros({4});
  const Tensor var = Tensor::ones({4});
  CHECK(equal(batch.forward(x * 1e-3F),
              batch_norm(x * 1e-3F, Tensor::ones({4}), Tensor::zeros({4}), mean, var,
                         {.training = true, .momentum = 0.1, .epsilon = 1e-5})));
  CHECK(equal(batch.state_dict().at("running_mean"), mean));
}

TEST_CASE("specs without sizes are refused: there is no default width") {
  RandomStream random(1, 1);
  using testing::error_message;
  CHECK_FALSE(error_message([&] { Conv2d({.out_channels = 1}, random); }).empty());
  CHECK_FALSE(error_message([&] { Conv2d({.in_channels = 1}, random); }).empty());
  CHECK_FALSE(error_message([&] { Linear({.out_features = 1}, random); }).empty());
  CHECK_FALSE(error_message([&] { Linear({.in_features = 1}, random); }).empty());
  CHECK_FALSE(error_message([&] { Embedding({.width = 1}, random); }).empty());
  CHECK_FALSE(error_message([&] { Embedding({.entries = 1}, random); }).empty());
  CHECK_FALSE(error_message([] { BatchNorm2d({}); }).empty());
  CHECK_FALSE(error_message([] { GroupNorm({.channels = 1}); }).empty());
  CHECK_FALSE(error_message([] { GroupNorm({.groups = 1}); }).empty());
  CHECK_FALSE(error_message([] { LayerNorm({}); }).empty());
}

TEST_CASE("defaults of first weights: factor 2 for Kaiming, 1 for Xavier, cut at 2 deviations") {
  const auto same = [](auto by_default, auto written) {
    RandomStream one(1, 1);
    RandomStream two(1, 1);
    CHECK(equal(by_default(one), written(two)));
  };
  const Shape shape{5, 7};
  same([&](RandomStream& r) { return init::kaiming_normal(shape, 7, r); },
       [&](RandomStream& r) { return init::kaiming_normal(shape, 7, r, 2.0); });
  same([&](RandomStream& r) { return init::kaiming_uniform(shape, 7, r); },
       [&](RandomStream& r) { return init::kaiming_uniform(shape, 7, r, 2.0); });
  const init::Fans fans{7, 5};
  same([&](RandomStream& r) { return init::xavier_normal(shape, fans, r); },
       [&](RandomStream& r) { return init::xavier_normal(shape, fans, r, 1.0); });
  same([&](RandomStream& r) { return init::xavier_uniform(shape, fans, r); },
       [&](RandomStream& r) { return init::xavier_uniform(shape, fans, r, 1.0); });
  same([&](RandomStream& r) { return init::truncated_normal({2000}, 1.0, r); },
       [&](RandomStream& r) { return init::truncated_normal({2000}, 1.0, r, 2.0); });
}

TEST_CASE("defaults of modules: they begin in training, train() means on, loading is strict") {
  RandomStream random(1, 1);
  Linear layer({.in_features = 2, .out_features = 3}, random);
  CHECK(layer.is_training());
  layer.eval();
  layer.train();
  CHECK(layer.is_training());
  CHECK_FALSE(testing::error_message([&] { layer.load_state_dict({}); }).empty());
  CHECK(GradcheckModuleOptions{}.training);
  CHECK(GradcheckModuleOptions{}.evaluation);
  CHECK(GradcheckModuleOptions{}.seed == 1);
}

TEST_CASE("defaults of attention: a stateless vector of the mean, per block, before the addition") {
  const AttentionInfo info;
  CHECK_FALSE(info.carries_state);
  CHECK(info.form == Form::vector);
  CHECK(info.statistics == Statistics::mean);
  CHECK_FALSE(info.identity);
  CHECK(info.sharing == Sharing::block);
  const UnitSpec unit;
  CHECK(unit.channels == 0);
  CHECK(unit.calls == 1);
  CHECK_FALSE(unit.tokens);
  CHECK(unit.prefix_tokens == 0);
  CHECK(unit.sharing == Sharing::block);
  CHECK(unit.placement == Placement::pre_add);
  const SiteInput site;
  CHECK(site.placement == Placement::pre_add);
  CHECK(site.channels == 0);
  CHECK(site.size == Size2(1));
  CHECK(site.stride == Size2(1));
  CHECK_FALSE(site.tokens);
  CHECK(site.prefix_tokens == 0);
  CHECK_FALSE(AttentionSites{}.stateful_sharing.has_value());
  CHECK(State{}.call == 0);
  CHECK(AttentionFactory("none").pool() == Pool::all);
  CHECK(AttentionFactory("se").sharing() == Sharing::block);
  CHECK(AttentionFactory("dia-lstm").sharing() == Sharing::stage);  // the variant's own
}

}  // namespace
}  // namespace diagrad::nn
