// What the layers of transformers compute, against plain loops and other layers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/encoder_block.h"
#include "diagrad/nn/patch_dropout.h"
#include "diagrad/nn/patch_embed.h"
#include "diagrad/nn/positions.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reshape.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

Tensor random_of(const Shape& shape, uint64_t stream = 1, DType dtype = DType::f64) {
  RandomStream random(3, stream);
  return uniform(shape, -1.0, 1.0, random, dtype);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const Tensor x = a.to(DType::f64).contiguous();
  const Tensor y = b.to(DType::f64).contiguous();
  double most = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    most = std::max(most, std::abs(x.data<double>()[i] - y.data<double>()[i]));
  }
  return most;
}

TEST_CASE("MultiheadAttention: rows of qkv are q, k, v in turn, each head by head") {
  constexpr int64_t kTokens = 3, kWidth = 6, kHeads = 2, kDim = 3;
  RandomStream random(1, 1);
  MultiheadAttention layer({.width = kWidth, .heads = kHeads, .init = LinearInit::fan_in_uniform},
                           random);
  layer.to(DType::f64);
  const Tensor x = random_of({1, kTokens, kWidth});
  const StateDict state = layer.state_dict();
  const auto qkv = [&](int64_t part, int64_t head, int64_t token, int64_t i) {
    const int64_t row = part * kWidth + head * kDim + i;
    double value = state.at("qkv.bias").data<double>()[row];
    for (int64_t c = 0; c < kWidth; ++c) {
      value += state.at("qkv.weight").data<double>()[row * kWidth + c] *
               x.data<double>()[token * kWidth + c];
    }
    return value;
  };
  const Tensor attended = Tensor::zeros({1, kTokens, kWidth}, DType::f64);
  for (int64_t head = 0; head < kHeads; ++head) {
    for (int64_t t = 0; t < kTokens; ++t) {
      double total = 0.0;
      for (int64_t s = 0; s < kTokens; ++s) {
        double dot = 0.0;
        for (int64_t i = 0; i < kDim; ++i) dot += qkv(0, head, t, i) * qkv(1, head, s, i);
        const double weight = std::exp(dot / std::sqrt(static_cast<double>(kDim)));
        total += weight;
        for (int64_t i = 0; i < kDim; ++i) {
          attended.data<double>()[t * kWidth + head * kDim + i] += weight * qkv(2, head, s, i);
        }
      }
      for (int64_t i = 0; i < kDim; ++i) {
        attended.data<double>()[t * kWidth + head * kDim + i] /= total;
      }
    }
  }
  Linear proj({.in_features = kWidth, .out_features = kWidth}, random);
  proj.to(DType::f64);
  proj.load_state_dict({{"weight", state.at("proj.weight")}, {"bias", state.at("proj.bias")}});
  CHECK(largest_difference(layer.forward(x), proj.forward(attended)) < 1e-14);
}

TEST_CASE("MultiheadAttention: separate projections of the rows of a joint one give its result") {
  RandomStream random(1, 1);
  MultiheadAttention joint({.width = 4, .heads = 2, .init = LinearInit::fan_in_uniform}, random);
  MultiheadAttention separate({.width = 4, .heads = 2, .projection = QkvProjection::separate},
                              random);
  StateDict state = joint.state_dict();
  const Tensor weight = state.at("qkv.weight");
  const Tensor bias = state.at("qkv.bias");
  state.erase("qkv.weight");
  state.erase("qkv.bias");
  const char* const names[] = {"q_proj", "k_proj", "v_proj"};
  for (int64_t i = 0; i < 3; ++i) {
    state[std::string(names[i]) + ".weight"] = weight.detach().strided({4, 4}, {4, 1}, i * 16);
    state[std::string(names[i]) + ".bias"] = bias.detach().strided({4}, {1}, i * 4);
  }
  separate.load_state_dict(state);
  const Tensor x = random_of({2, 5, 4}, 1, DType::f32);
  CHECK(largest_difference(joint.forward(x), separate.forward(x)) < 1e-6);
  CHECK(error_message([&] { joint.attend(x, x); }) ==
        "MultiheadAttention: attend needs separate projections, this layer has a joint one");
}

TEST_CASE("PatchEmbed is a convolution with the stride of its kernel") {
  RandomStream random(1, 1);
  PatchEmbed embed({.patch = {2, 3}, .channels = 3, .width = 5}, random);
  Conv2d conv({.in_channels = 3, .out_channels = 5, .kernel = {2, 3}, .stride = {2, 3}}, random);
  embed.to(DType::f64);
  conv.to(DType::f64);
  const StateDict state = embed.state_dict();
  conv.load_state_dict({{"weight", state.at("proj.weight")}, {"bias", state.at("proj.bias")}});
  const Tensor images = random_of({2, 6, 12, 3});
  CHECK(largest_difference(embed.forward(images), reshape(conv.forward(images), {2, 12, 5})) <
        1e-14);
}

TEST_CASE("PatchDropout keeps the prefix and other patches of each sample, in their order") {
  constexpr int64_t kBatch = 20, kTokens = 12;
  PatchDropout layer({.p = 0.3, .prefix_tokens = 2});
  const Tensor x = Tensor::empty({kBatch, kTokens, 1}, DType::f64);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = static_cast<double>(i % kTokens);
  const auto kept = [&](uint64_t step) {
    const RandomScope scope(1, step);
    return layer.forward(x);
  };
  const Tensor first = kept(0);
  REQUIRE(first.shape() == Shape{kBatch, 2 + 7, 1});
  std::set<std::vector<double>> rows;
  std::set<double> seen;
  for (int64_t b = 0; b < kBatch; ++b) {
    const double* const row = first.data<double>() + b * 9;
    CHECK(row[0] == 0.0);
    CHECK(row[1] == 1.0);
    CHECK(std::is_sorted(row, row + 9));
    CHECK(std::adjacent_find(row, row + 9) == row + 9);
    rows.insert(std::vector<double>(row, row + 9));
    seen.insert(row, row + 9);
  }
  CHECK(rows.size() > kBatch / 2);
  CHECK(seen.size() == kTokens);
  CHECK(largest_difference(first, kept(0)) == 0.0);
  CHECK(largest_difference(first, kept(1)) > 0.0);
  // The sample's patches are its own, whatever comes behind it.
  const RandomScope scope(1, 0);
  const Tensor alone = layer.forward(x.strided({3, kTokens, 1}, {kTokens, 1, 1}));
  CHECK(largest_difference(alone, first.strided({3, 9, 1}, {9, 1, 1})) == 0.0);
  PatchDropout nearly_all({.p = 0.99});
  CHECK(nearly_all.forward(x).shape() == Shape{kBatch, 1, 1});
}

TEST_CASE("EncoderBlock ends its branches behind LayerScale and before stochastic depth") {
  RandomStream random(1, 1);
  EncoderBlock block({.width = 4, .heads = 2, .hidden = 8, .layer_scale = 0.5, .drop_path = 1.0},
                     random);
  const Tensor x = random_of({2, 3, 4}, 1, DType::f32);
  Tensor attended, fed;
  const auto keep = [](Tensor& at) { return [&at](const Tensor& branch) { return at = branch; }; };
  block.eval();
  const Tensor y = block.run(x, keep(attended), keep(fed));
  CHECK(largest_difference(y, x + attended + fed) < 1e-6);
  CHECK(largest_difference(y, block.forward(x)) == 0.0);
  // Halved by LayerScale.
  block.state_dict().at("ls1.gamma").fill_(1.0);
  const Tensor before = attended;
  block.run(x, keep(attended), keep(fed));
  CHECK(largest_difference(attended, before * 2.0) == 0.0);
  // A dropped sample makes its calls, and adds nothing.
  block.train();
  attended = fed = Tensor();
  const RandomScope scope(1, 0);
  CHECK(largest_difference(block.run(x, keep(attended), keep(fed)), x) == 0.0);
  CHECK(attended.defined());
  CHECK(fed.defined());
}

TEST_CASE("sinusoidal positions are sines and cosines of column and row") {
  const Tensor positions = sinusoidal_positions(1, {2, 3}, 8);
  REQUIRE(positions.shape() == Shape{1, 7, 8});
  const float* const data = positions.data<float>();
  for (int i = 0; i < 8; ++i) CHECK(data[i] == 0.0F);
  const float* const last = data + 6 * 8;  // column 2, row 1
  const double expected[] = {std::sin(2.0), std::sin(0.02), std::cos(2.0), std::cos(0.02),
                             std::sin(1.0), std::sin(0.01), std::cos(1.0), std::cos(0.01)};
  for (int i = 0; i < 8; ++i) CHECK(last[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  CHECK(error_message([] { sinusoidal_positions(0, 2, 6); }) ==
        "sinusoidal_positions: the width 6 is no multiple of 4: sine and cosine of two axes");
}

/// Positions [1, 1 + h w, 1] whose patches are f(row, column).
template <typename F>
Tensor filled(int64_t h, int64_t w, F f) {
  const Tensor result = Tensor::full({1, 1 + h * w, 1}, -7.0, DType::f64);
  for (int64_t i = 0; i < h * w; ++i) {
    result.data<double>()[1 + i] = f(static_cast<double>(i / w), static_cast<double>(i % w));
  }
  return result;
}

TEST_CASE("resampled positions keep constants, the prefix and the direction of each axis") {
  const auto constant = filled(3, 5, [](double, double) { return 2.5; });
  for (const Size2 to : {Size2{7, 10}, Size2{10, 7}, Size2{1, 1}, Size2{2, 9}}) {
    const Tensor result = resample_positions(constant, 1, {3, 5}, to);
    REQUIRE(result.shape() == Shape{1, 1 + to.h * to.w, 1});
    CHECK(result.data<double>()[0] == -7.0);
    for (int64_t i = 1; i < result.numel(); ++i) {
      CHECK(result.data<double>()[i] == doctest::Approx(2.5).epsilon(1e-14));
    }
  }
  // A row number stays a row number where only columns change.
  const auto by_row = filled(4, 3, [](double row, double) { return row; });
  const Tensor wider = resample_positions(by_row, 1, {4, 3}, {4, 5});
  CHECK(largest_difference(wider, filled(4, 5, [](double row, double) { return row; })) < 1e-14);
  const Tensor same = resample_positions(by_row, 1, {4, 3}, {4, 3});
  CHECK(same.id() == by_row.id());
  CHECK(error_message([&] {
          resample_positions(by_row, 0, {4, 3}, {2, 2});
        }) ==
        "resample_positions: positions [1,13,1] are not [1,0 + 4 x 3,D], to resample to 2 x 2");
}

TEST_CASE("resampled positions are those of PyTorch's antialiased bicubic interpolation") {
  // F.interpolate(torch.arange(6.).square().double().reshape(1, 1, 2, 3), size, mode="bicubic",
  // antialias=True)
  const auto squares = filled(
      2, 3, [](double row, double column) { return (3.0 * row + column) * (3.0 * row + column); });
  const auto check = [&](Size2 to, const std::vector<double>& expected) {
    const Tensor result = resample_positions(squares, 1, {2, 3}, to);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(result.data<double>()[1 + i] == doctest::Approx(expected[i]).epsilon(1e-12));
    }
  };
  check({4, 5},
        {-0.8296337402885684, -0.7396839332748031, -0.32352941176470607, 1.301580333625988,
         2.3335183129855714,  1.6950134770889487,  2.460980810234541,    4.107142857142858,
         6.9622601279317715,  8.67021563342318,    6.70121293800539,     8.807675906183368,
         12.892857142857142,  18.186993603411516,  21.235444743935307,   9.225860155382906,
         12.00834064969271,   17.323529411764703,  23.847673397717298,   27.572142064372912});
  check({1, 2}, {5.6589085072231144, 12.560995184590688});
  check({3, 2}, {-0.4848568049336832, 1.7310762862211695, 5.6589085072231144, 12.560995184590688,
                 11.80267381937991, 23.390914082960204});
}

TEST_CASE("resampled positions have the gradient of their formula") {
  const Tensor positions = random_of({1, 1 + 6, 2});
  positions.set_requires_grad(true);
  const auto checked = autograd::gradcheck(
      [](std::span<const Tensor> in) {
        return std::vector<Tensor>{resample_positions(in[0], 1, {2, 3}, {4, 2})};
      },
      std::vector<Tensor>{positions});
  CHECK_MESSAGE(checked.passed, checked.message);
}

TEST_CASE("layers of transformers of impossible sizes are refused with the numbers") {
  RandomStream random(1, 1);
  CHECK(error_message([&] { MultiheadAttention({.width = 10, .heads = 4}, random); }) ==
        "MultiheadAttention: 4 heads do not divide the width 10");
  CHECK(error_message([&] { Mlp({.features = 4, .hidden = 0}, random); }) ==
        "Mlp: 4 features and 0 hidden ones; both must be positive");
  CHECK(error_message([] { PatchDropout({.p = 1.0}); }) ==
        "PatchDropout: share 1 is outside [0, 1)");
  CHECK(error_message([] { LayerScale({.features = 0}); }) ==
        "LayerScale: 0 features; must be positive");
  CHECK(error_message([&] { PatchEmbed({.patch = 0, .width = 4}, random); }) ==
        "PatchEmbed: patches of 0x0 pixels, 3 channels to 4 features; all must be positive");
}

}  // namespace
}  // namespace diagrad::nn
