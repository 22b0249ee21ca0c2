// What a U-net makes of its images, times and classes, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/registry.h"
#include "tests/support/op_case.h"
#include "tests/support/unet_nets.h"

namespace diagrad::models {
namespace {

using testing::error_message;
using testing::fill_zero_parameters;
using testing::noisy_inputs;
using testing::small_unet_options;
using Options = std::vector<std::pair<std::string, std::string>>;

Tensor output_of(nn::Module& model, const nn::Inputs& inputs) {
  const NoGrad no_grad;
  return model.call(inputs).contiguous();
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
}

/// In evaluation mode, every parameter alive.
std::shared_ptr<nn::Module> alive(UnetOptions options) {
  options.seed = 5;
  auto model = make_unet(options);
  fill_zero_parameters(*model, 5);
  model->eval();
  return model;
}

TEST_CASE("every option of the formula has an effect") {
  const nn::Inputs inputs = noisy_inputs(2, {8, 8, 3}, DType::f32);
  const Tensor plain = output_of(*alive(small_unet_options()), inputs);
  CHECK(equal(plain, output_of(*alive(small_unet_options()), inputs)));
  const auto differs = [&](const std::function<void(UnetOptions&)>& change) {
    UnetOptions options = small_unet_options();
    change(options);
    return !equal(plain, output_of(*alive(options), inputs));
  };
  CHECK(differs([](UnetOptions& o) { o.heads = 2; }));
  CHECK(differs([](UnetOptions& o) { o.groups = 2; }));
  CHECK(differs([](UnetOptions& o) { o.epsilon = 1e-2; }));
  CHECK(differs([](UnetOptions& o) { o.down_padding = DownPadding::asymmetric; }));
  CHECK(differs([](UnetOptions& o) { o.time_order = nn::TimeOrder::cos_sin; }));
  CHECK(differs([](UnetOptions& o) { o.frequency_shift = 0; }));
  CHECK_FALSE(differs([](UnetOptions& o) { o.dropout = 0.5; }));  // in training alone
}

TEST_CASE("each image has its own time and class") {
  UnetOptions options = small_unet_options();
  options.classes = 2;
  const auto model = alive(options);
  nn::Inputs inputs = noisy_inputs(2, {8, 8, 3}, DType::f32);
  const auto with = [&](std::vector<int64_t> labels) {
    nn::Inputs own = inputs;
    own.class_label = Tensor::from<int64_t>(labels, {2});
    return output_of(*model, own);
  };
  const auto equal_at = [](const Tensor& a, const Tensor& b, int64_t image) {
    const int64_t size = a.numel() / 2;
    const float* const from = a.data<float>() + image * size;
    return std::equal(from, from + size, b.data<float>() + image * size);
  };
  const Tensor both = with({0, 1});
  CHECK(equal_at(both, with({0, 0}), 0));
  CHECK_FALSE(equal_at(both, with({0, 0}), 1));
  // No class: the null class, by any of its names.
  const Tensor none = output_of(*model, inputs);
  CHECK(equal(none, with({nn::kNoClass, nn::kNoClass})));
  CHECK(equal(none, with({2, nn::kNoClass})));
  CHECK_FALSE(equal_at(none, both, 0));
  CHECK_FALSE(equal_at(none, both, 1));
  inputs.time = Tensor::from<double>({100.5, 999.0}, {2});
  const Tensor later = output_of(*model, inputs);
  CHECK(equal_at(none, later, 0));
  CHECK_FALSE(equal_at(none, later, 1));
}

TEST_CASE("images of all sizes that the levels can halve keep their size") {
  const auto model = alive(small_unet_options());
  for (const Shape& image : {Shape{2, 2, 3}, Shape{6, 10, 3}, Shape{16, 4, 3}}) {
    const Tensor y = output_of(*model, noisy_inputs(2, image, DType::f32));
    CHECK(y.shape() == Shape{2, image[0], image[1], 3});
  }
  UnetOptions one_level = small_unet_options();
  one_level.mult = {1};
  one_level.attn = {};
  one_level.input = {7, 5};
  one_level.channels = 1;
  CHECK(output_of(*alive(one_level), noisy_inputs(1, {7, 5, 1}, DType::f32)).shape() ==
        Shape{1, 7, 5, 1});
}

TEST_CASE("sizes that a unet cannot take are refused in one line, with some that it can") {
  const auto made = [](const Options& options, const Shape& input = {32, 32, 3}) {
    return error_message([&] { create("unet", {.input = input, .options = options}); });
  };
  CHECK(made({{"base", "8"}}, {28, 36, 3}) ==
        "unet: images of 28x36 pixels cannot be halved 3 times, once between its 4 levels; heights "
        "and widths must be multiples of 8, such as 32x40");
  CHECK(
      made({{"base", "8"}}, {24, 24, 3}) ==
      "unet: attn=16 is the height of none of its levels, which have 24, 12, 6, 3; leave it empty "
      "for self-attention in the middle alone");
  CHECK(made({{"base", "8"}, {"heads", "3"}}) ==
        "unet: heads=3 do not divide the 16 channels of a level with self-attention");
  CHECK(made({{"base", "8"}, {"groups", "3"}}) ==
        "unet: 3 groups do not divide base=8; choose others by groups=N");
  CHECK(made({{"base", "14"}}) ==
        "unet: 3 groups do not divide base=14; choose others by groups=N");
  CHECK(made({{"mult", ""}}).find("one for each level") != std::string::npos);
  CHECK(made({{"mult", "1+0"}}).find("mult=1+0 of 'unet' must be") != std::string::npos);
}

TEST_CASE("calls that do not fit a unet are refused in one line with the shapes") {
  const auto model = make_unet(small_unet_options());
  const auto called = [&](const std::function<void(nn::Inputs&)>& change) {
    nn::Inputs inputs = noisy_inputs(2, {8, 8, 3}, DType::f32);
    change(inputs);
    return error_message([&] { model->call(inputs); });
  };
  CHECK(called([](nn::Inputs& i) {
          i.image = Tensor::zeros({2, 7, 8, 3});
        }) ==
        "unet: images of 7x8 pixels cannot be halved 1 times, once between its 2 levels; heights "
        "and widths must be multiples of 2, such as 8x8");
  CHECK(called([](nn::Inputs& i) {
          i.image = Tensor::zeros({2, 8, 8, 1});
        }) == "unet: needs images [B,H,W,3], got shape [2,8,8,1]");
  CHECK(called([](nn::Inputs& i) { i.time = Tensor(); }) ==
        "unet: needs a time [B] beside the images [2,8,8,3], got none");
  CHECK(called([](nn::Inputs& i) { i.time = Tensor::zeros({3}); }) ==
        "unet: needs a time for each image, floating point [2], got f32 [3]");
  CHECK(called([](nn::Inputs& i) { i.class_label = Tensor::zeros({2}, DType::i64); }) ==
        "unet: got classes, but is unconditional; make it with --model-opt classes=N");
  CHECK(error_message([&] {
          model->forward(Tensor::zeros({2, 8, 8, 3}));
        }) == "unet: needs a time [B] beside the images [2,8,8,3], got none");
  UnetOptions options = small_unet_options();
  options.classes = 2;
  nn::Inputs inputs = noisy_inputs(2, {8, 8, 3}, DType::f32);
  inputs.class_label = Tensor::from<int64_t>({1, 3}, {2});
  CHECK(make_unet(options)->class_count() == 2);
  CHECK(make_unet(small_unet_options())->class_count() == 0);
  CHECK(error_message([&] { make_unet(options)->call(inputs); }) ==
        "unet: class 3 of image 1 is outside [0, 2); -1 and 2 mean no class");
}

}  // namespace
}  // namespace diagrad::models
