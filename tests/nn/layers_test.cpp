#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "diagrad/nn/activation.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/group_norm.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/pool.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/nn/sequential.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

double share_of_zeros(const Tensor& x) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < x.numel(); ++i) zeros += x.data<float>()[i] == 0.0F ? 1 : 0;
  return static_cast<double>(zeros) / static_cast<double>(x.numel());
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
}

TEST_CASE("dropout drops while training alone, with masks of the scope") {
  Dropout dropout({.p = 0.25});
  const Tensor x = Tensor::ones({100, 100});
  const auto masked = [&](uint64_t step) {
    const RandomScope scope(1, step);
    return dropout.forward(x);
  };
  CHECK(std::abs(share_of_zeros(masked(0)) - 0.25) < 4.0 * std::sqrt(0.25 * 0.75 / 10000));
  CHECK(equal(masked(0), masked(0)));
  CHECK_FALSE(equal(masked(0), masked(1)));
  {
    const RandomScope scope(1, 0);
    CHECK_FALSE(equal(dropout.forward(x), dropout.forward(x)));
  }
  CHECK(error_message([&] { dropout.forward(x); }).find("RandomScope") != std::string::npos);
  dropout.eval();
  CHECK(dropout.forward(x).is_same(x));
}

TEST_CASE("drop path drops whole samples") {
  DropPath path({.p = 0.5});
  const RandomScope scope(1, 0);
  const Tensor y = path.forward(Tensor::ones({1000, 4}));
  for (int64_t b = 0; b < 1000; ++b) {
    const float first = y.data<float>()[4 * b];
    CHECK((first == 0.0F || first == 2.0F));
    for (int64_t i = 1; i < 4; ++i) CHECK(y.data<float>()[4 * b + i] == first);
  }
  CHECK(std::abs(share_of_zeros(y) - 0.5) < 4.0 * std::sqrt(0.25 / 1000));
}

TEST_CASE("without a probability there is no mask, so no scope is needed") {
  const Tensor x = Tensor::ones({3, 2});
  CHECK(Dropout({.p = 0.0}).forward(x).is_same(x));
  CHECK(DropPath({.p = 0.0}).forward(x).is_same(x));
  const RandomScope scope(1, 0);
  CHECK(share_of_zeros(Dropout({.p = 1.0}).forward(x)) == 1.0);
}

TEST_CASE("what a spec says reaches the operation") {
  RandomStream random(1, 1);
  const Tensor x = normal({2, 6, 5, 4}, 0.0, 1.0, random);
  CHECK(equal(LayerNorm({.features = 4, .epsilon = 0.5}).forward(x), layer_norm(x, {}, {}, 0.5)));
  CHECK(equal(GroupNorm({.groups = 2, .channels = 4, .epsilon = 0.5}).forward(x),
              group_norm(x, {}, {}, {.groups = 2, .epsilon = 0.5})));
  const Pool2dSpec window{
      .kernel = {2, 3}, .stride = {1, 2}, .padding = 1, .count_include_pad = false};
  CHECK(equal(MaxPool2d(window).forward(x), max_pool2d(x, window)));
  CHECK(equal(AvgPool2d(window).forward(x), avg_pool2d(x, window)));

  Conv2d conv({.in_channels = 4,
               .out_channels = 6,
               .kernel = {3, 2},
               .stride = {2, 1},
               .padding = {1, 2},
               .dilation = {2, 1},
               .groups = 2,
               .bias = false},
              random);
  CHECK(equal(conv.forward(x),
              conv2d(x, conv.state_dict().at("weight"), {},
                     {.stride = {2, 1}, .padding = {1, 2}, .dilation = {2, 1}, .groups = 2})));
  BatchNorm2d norm({.channels = 4, .epsilon = 0.5, .momentum = 0.3});
  const Tensor mean = Tensor::zeros({4});
  const Tensor var = Tensor::ones({4});
  CHECK(equal(norm.forward(x), batch_norm(x, {}, {}, mean, var,
                                          {.training = true, .momentum = 0.3, .epsilon = 0.5})));
  CHECK(equal(norm.state_dict().at("running_mean"), mean));
  CHECK(equal(norm.state_dict().at("running_var"), var));
  norm.eval();
  CHECK(equal(norm.forward_relu(x), relu(batch_norm(x, {}, {}, mean, var, {.epsilon = 0.5}))));
}

TEST_CASE("first weights of zeros: weight and bias are 0, and no random number is drawn") {
  RandomStream random(1, 1);
  RandomStream untouched(1, 1);
  const Conv2d conv({.in_channels = 2, .out_channels = 3, .kernel = 3, .init = ConvInit::zeros},
                    random);
  const Linear linear({.in_features = 2, .out_features = 3, .init = LinearInit::zeros}, random);
  for (const Module* layer :
       {static_cast<const Module*>(&conv), static_cast<const Module*>(&linear)}) {
    CHECK(layer->named_parameters().size() == 2);
    for (const NamedTensor& parameter : layer->named_parameters()) {
      CHECK(equal(parameter.tensor, Tensor::zeros(parameter.tensor.shape())));
    }
  }
  CHECK(random.uniform(0.0, 1.0) == untouched.uniform(0.0, 1.0));
}

TEST_CASE("activations as modules are the functions of the same name") {
  RandomStream random(1, 1);
  const Tensor x = normal({50}, 0.0, 3.0, random);
  CHECK(equal(ReLU().forward(x), relu(x)));
  CHECK(equal(GELU().forward(x), gelu(x)));
  CHECK(equal(GELUTanh().forward(x), gelu_tanh(x)));
  CHECK(equal(SiLU().forward(x), silu(x)));
  CHECK(equal(Sigmoid().forward(x), sigmoid(x)));
  CHECK(equal(Tanh().forward(x), diagrad::tanh(x)));
  CHECK(equal(Softplus().forward(x), softplus(x)));
  CHECK(equal(Hardswish().forward(x), hardswish(x)));
}

TEST_CASE("layers of impossible sizes are refused with the numbers") {
  CHECK(error_message([] { Dropout({.p = 1.5}); }) == "Dropout: probability 1.5 is outside [0, 1]");
  CHECK(error_message([] { DropPath({.p = -0.1}); }) ==
        "DropPath: probability -0.1 is outside [0, 1]");
  CHECK(error_message([] { LayerNorm({}); }) == "LayerNorm: 0 features; must be positive");
  CHECK(error_message([] { GroupNorm({.groups = 4, .channels = 6}); }) ==
        "GroupNorm: 6 channels in 4 groups; channels must be a positive multiple of groups");
}

TEST_CASE("a sequence names its parts by number and runs them in order") {
  RandomStream random(1, 1);
  Sequential net;
  const auto shared = std::make_shared<Linear>(LinearSpec{3, 3}, random);
  net.append(shared).append(ReLU()).append(Linear({3, 2, false}, random)).append(shared);
  std::string names;
  for (const NamedTensor& parameter : net.named_parameters()) names += parameter.name + " ";
  CHECK(names == "0.weight 0.bias 2.weight ");
  CHECK(net.children().size() == 4);

  const Tensor x = normal({5, 3}, 0.0, 1.0, random);
  Sequential start;
  start.append(shared).append(ReLU());
  const Tensor expected = net.children()[2].second->forward(start.forward(x));
  Sequential all;
  all.append(std::make_shared<Sequential>(std::move(start))).append(net.children()[2].second);
  CHECK(equal(all.forward(x), expected));
  CHECK(Sequential().forward(x).is_same(x));
  all.eval();
  CHECK_FALSE(shared->is_training());
}

TEST_CASE("a sequence refuses an absent part, and passes on what its parts say") {
  CHECK(error_message([] { Sequential().append(std::shared_ptr<Module>()); }) ==
        "module: child '0' is null");
  RandomStream random(1, 1);
  Sequential net;
  net.append(Linear({3, 4}, random)).append(Linear({5, 2}, random));
  CHECK(error_message([&] {
          net.forward(Tensor::zeros({1, 3}));
        }).find("input has 4 features but weight expects 5") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::nn
