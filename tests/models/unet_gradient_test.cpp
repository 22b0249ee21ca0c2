// Derivatives of a whole U-net, with and without checkpoints of its blocks.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/nn/gradcheck_module.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/losses.h"
#include "tests/support/op_case.h"
#include "tests/support/unet_nets.h"

namespace diagrad::models {
namespace {

using testing::fill_zero_parameters;
using testing::noisy_inputs;
using testing::small_unet_options;

constexpr int64_t kBatch = 3;

/// Every part that has parameters or draws masks: classes, heads, dropout and units of attention.
std::shared_ptr<nn::Module> full_net(UnetOptions options) {
  options.classes = 2;
  options.heads = 2;
  options.dropout = 0.2;
  options.seed = 3;
  auto model = make_unet(options);
  fill_zero_parameters(*model, 3);
  return model;
}

/// With every row of the table of classes.
nn::Inputs labelled_inputs(DType dtype) {
  nn::Inputs inputs = noisy_inputs(kBatch, {8, 8, 3}, dtype);
  inputs.class_label = Tensor::from<int64_t>({1, nn::kNoClass, 0}, {kBatch});
  return inputs;
}

TEST_CASE("a unet has the gradients of its formula, for the image and each parameter") {
  // A reduction of 1: a ReLU over one hidden unit may be dead.
  for (const char* attention : {"none", "dia-lstm:reduction=1"}) {
    for (const DownPadding padding : {DownPadding::symmetric, DownPadding::asymmetric}) {
      CAPTURE(attention);
      UnetOptions options = small_unet_options();
      options.attention = attention;
      options.down_padding = padding;
      const auto model = full_net(options);
      const nn::Inputs inputs = labelled_inputs(DType::f64);
      const auto result = nn::gradcheck_module(*model, {inputs.image},
                                               {.check = {.step = 1e-5, .max_elements = 3},
                                                .forward = [&](std::span<const Tensor> given) {
                                                  nn::Inputs own = inputs;
                                                  own.image = given[0];
                                                  return std::vector<Tensor>{model->call(own)};
                                                }});
      CHECK_MESSAGE(result.passed, result.message);
    }
  }
}

double length_of(const Tensor& x) {
  double sum = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) sum += x.data<double>()[i] * x.data<double>()[i];
  return std::sqrt(sum);
}

TEST_CASE("only the key biases of self-attention have a gradient that is zero by the formula") {
  const auto model = full_net(small_unet_options());
  model->to(DType::f64);
  model->eval();
  const Tensor output = model->call(labelled_inputs(DType::f64));
  backward(mse(output, Tensor::zeros(output.shape(), DType::f64)));
  double total = 0.0;
  for (const auto& parameter : model->named_parameters()) {
    total = std::hypot(total, length_of(parameter.tensor.grad()));
  }
  std::vector<std::string> zero;
  for (const auto& parameter : model->named_parameters()) {
    if (length_of(parameter.tensor.grad()) < 1e-13 * total) zero.push_back(parameter.name);
  }
  CHECK(zero == std::vector<std::string>{
                    "down_blocks.1.attentions.0.to_k.bias", "mid_block.attentions.0.to_k.bias",
                    "up_blocks.0.attentions.0.to_k.bias", "up_blocks.0.attentions.1.to_k.bias"});
}

/// The losses and all gradients of two steps.
std::vector<Tensor> two_steps(nn::Module& model) {
  std::vector<Tensor> found;
  for (uint64_t step = 0; step < 2; ++step) {  // gradients add up
    const nn::RandomScope scope(7, step);
    const Tensor output = model.call(labelled_inputs(DType::f32));
    const Tensor loss = mse(output, Tensor::ones(output.shape()));
    found.push_back(loss.detach());
    backward(loss);
  }
  for (const auto& parameter : model.named_parameters()) found.push_back(parameter.tensor.grad());
  return found;
}

TEST_CASE("checkpoints of a unet's blocks change no bit: losses, gradients, dropout, states") {
  for (const char* attention : {"none", "se", "dia-lstm:cells=2,dropout=0.3"}) {
    for (const char* sharing : {"block", "stage", "network"}) {
      CAPTURE(attention);
      CAPTURE(sharing);
      UnetOptions options = small_unet_options();
      options.attention = attention;
      options.sharing = sharing;
      const std::vector<Tensor> plain = two_steps(*full_net(options));
      options.checkpoint_blocks = true;
      const std::vector<Tensor> checkpointed = two_steps(*full_net(options));
      REQUIRE(plain.size() == checkpointed.size());
      for (size_t i = 0; i < plain.size(); ++i) {
        CAPTURE(i);
        REQUIRE((plain[i].defined() && checkpointed[i].defined()));
        const auto bytes = static_cast<size_t>(plain[i].numel() * size_of(plain[i].dtype()));
        CHECK(std::memcmp(plain[i].raw_data(), checkpointed[i].raw_data(), bytes) == 0);
      }
    }
  }
}

}  // namespace
}  // namespace diagrad::models
