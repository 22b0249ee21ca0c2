// Units of attention in a U-net, and the parts that they must leave alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/unet_block.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/ops/group_norm.h"
#include "tests/support/op_case.h"
#include "tests/support/unet_nets.h"

namespace diagrad::models {
namespace {

using testing::error_message;
using testing::fill_zero_parameters;
using testing::noisy_inputs;
using testing::small_unet;
using testing::small_unet_options;

const std::vector<std::string> kSites = {"down_blocks.0.resnets.0", "down_blocks.1.resnets.0",
                                         "mid_block.resnets.0",     "mid_block.resnets.1",
                                         "up_blocks.0.resnets.0",   "up_blocks.0.resnets.1",
                                         "up_blocks.1.resnets.0",   "up_blocks.1.resnets.1"};

/// The calls of one forward pass, with the states before and after each.
class StateTap : public nn::CallTap {
 public:
  struct Seen {
    std::string unit, site;
    std::vector<Tensor> before, after;
  };
  std::vector<Seen> seen;

  Tensor on_enter(const nn::UnitCall& call, const Tensor& input) override {
    seen.push_back({call.unit, call.site, call.state.tensors, {}});
    return input;
  }
  Tensor on_leave(const nn::UnitCall& call, const Tensor& output) override {
    seen.back().after = call.state.tensors;
    return output;
  }
};

Tensor output_of(nn::Module& model) {
  const NoGrad no_grad;
  return model.call(noisy_inputs(2, {8, 8, 3}, DType::f32)).contiguous();
}

std::vector<StateTap::Seen> calls_of(nn::Module& model) {
  StateTap tap;
  const nn::CallTapScope scope(tap);
  output_of(model);
  return tap.seen;
}

using Names = std::vector<std::string>;

Names units_of(const std::string& attention, const std::string& sharing) {
  Names names;
  for (const auto& call : calls_of(*small_unet(attention, sharing, 1))) names.push_back(call.unit);
  return names;
}

TEST_CASE("a unet calls attention once for each block, down, in the middle and up") {
  Names sites;
  for (const auto& call : calls_of(*small_unet("se", "", 1))) sites.push_back(call.site);
  CHECK(sites == kSites);
}

TEST_CASE("units of a unet belong to a block, to a level of a path or to a width") {
  Names blocks;
  for (const std::string& site : kSites) blocks.push_back(site + ".attention");
  CHECK(units_of("dia-lstm", "block") == blocks);
  CHECK(units_of("dia-lstm", "stage") == Names{"down_blocks.0.attention", "down_blocks.1.attention",
                                               "mid_block.attention", "mid_block.attention",
                                               "up_blocks.0.attention", "up_blocks.0.attention",
                                               "up_blocks.1.attention", "up_blocks.1.attention"});
  const Names widths = {"attention.4", "attention.8", "attention.8", "attention.8",
                        "attention.8", "attention.8", "attention.4", "attention.4"};
  CHECK(units_of("dia-lstm", "network") == widths);
  CHECK(units_of("dia-lstm", "") == widths);  // the default of variants with a state
  CHECK(units_of("se", "") == blocks);        // se's own
  // The default net: a level of each path, nine stages.
  UnetOptions options;
  options.base = 8;
  options.attention = "se";
  options.sharing = "stage";
  std::set<std::string> stages;
  for (const auto& parameter : make_unet(options)->named_parameters()) {
    const size_t at = parameter.name.find(".attention.");
    if (at != std::string::npos) stages.insert(parameter.name.substr(0, at));
  }
  CHECK(stages == std::set<std::string>{"down_blocks.0", "down_blocks.1", "down_blocks.2",
                                        "down_blocks.3", "mid_block", "up_blocks.0", "up_blocks.1",
                                        "up_blocks.2", "up_blocks.3"});
}

TEST_CASE("the state of a width lasts from the way down to the way up, and begins anew in a pass") {
  const auto model = small_unet("dia-lstm", "network", 1);
  for (int pass = 0; pass < 2; ++pass) {
    const auto seen = calls_of(*model);
    REQUIRE(seen.size() == 8);
    std::vector<size_t> last = {0, 1};  // calls of the widths 4 and 8
    for (const size_t first : last) CHECK(seen[first].before.empty());
    for (size_t i = 2; i < seen.size(); ++i) {
      size_t& before = last[seen[i].unit == "attention.4" ? 0 : 1];
      REQUIRE(seen[i].before.size() == 2);
      for (size_t t = 0; t < 2; ++t) CHECK(seen[i].before[t].id() == seen[before].after[t].id());
      before = i;
    }
  }
}

TEST_CASE("attention of a unet changes nothing else: not the weights, nor self-attention's names") {
  const nn::StateDict plain = make_unet(small_unet_options())->state_dict();
  UnetOptions options = small_unet_options();
  options.attention = "dia-lstm";
  const nn::StateDict other = make_unet(options)->state_dict();
  size_t added = 0;
  for (const auto& named : other) {
    const auto found = plain.find(named.first);
    if (found == plain.end()) {
      CHECK_MESSAGE(named.first.starts_with("attention."), named.first);
      ++added;
      continue;
    }
    const float* const values = named.second.data<float>();
    const bool equal =
        std::equal(values, values + named.second.numel(), found->second.data<float>());
    CHECK_MESSAGE(equal, named.first);
  }
  CHECK(other.size() == plain.size() + added);
  CHECK(added == 2 * 8);
}

/// Replaces the factors of every call.
class FactorTap : public nn::CallTap {
 public:
  explicit FactorTap(double factor) : factor_(factor) {}
  Tensor on_leave(const nn::UnitCall& /*call*/, const Tensor& output) override {
    return Tensor::full(output.shape(), factor_, output.dtype());
  }

 private:
  double factor_;
};

void check_equal(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  for (int64_t i = 0; i < a.numel(); ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
}

TEST_CASE("factors scale the branch of a block before the shortcut is added") {
  const auto with_factors = [](double factor) {
    FactorTap tap(factor);
    const nn::CallTapScope scope(tap);
    return output_of(*small_unet("se", "stage", 1));
  };
  const auto plain = small_unet("none", "", 1);
  check_equal(with_factors(1.0), output_of(*plain));
  for (const auto& parameter : plain->named_parameters()) {
    if (parameter.name.find(".conv2.") == std::string::npos) continue;
    parameter.tensor.copy_(Tensor::zeros(parameter.tensor.shape()));
  }
  check_equal(with_factors(0.0), output_of(*plain));
}

TEST_CASE("placements that a unet does not offer are refused in one line") {
  CHECK(error_message([] { small_unet("se:at=in_norm", "", 1); }) ==
        "attention: unet does not offer at=in_norm for 'se' (it offers pre_add; use "
        "se:at=pre_add)");
}

constexpr int64_t kPixels = 6;
constexpr int64_t kChannels = 4;
constexpr int64_t kHeads = 2;
using Rows = std::vector<double>;  ///< [kPixels,kChannels]

size_t place(int64_t pixel, int64_t channel) {
  return static_cast<size_t>(pixel * kChannels + channel);
}

Rows naive_linear(const nn::StateDict& state, const std::string& layer, const Rows& x) {
  const double* const weight = state.at(layer + ".weight").data<double>();
  const double* const bias = state.at(layer + ".bias").data<double>();
  Rows y(x.size());
  for (int64_t p = 0; p < kPixels; ++p) {
    for (int64_t o = 0; o < kChannels; ++o) {
      double& sum = y[place(p, o)] = bias[o];
      for (int64_t i = 0; i < kChannels; ++i) sum += weight[o * kChannels + i] * x[place(p, i)];
    }
  }
  return y;
}

Rows naive_attention(const Rows& q, const Rows& k, const Rows& v) {
  constexpr int64_t kWidth = kChannels / kHeads;
  Rows y(q.size());
  for (int64_t i = 0; i < kPixels; ++i) {
    for (int64_t first = 0; first < kChannels; first += kWidth) {
      Rows weights(kPixels);
      double total = 0.0;
      for (int64_t j = 0; j < kPixels; ++j) {
        double score = 0.0;
        for (int64_t d = first; d < first + kWidth; ++d) score += q[place(i, d)] * k[place(j, d)];
        double& weight = weights[static_cast<size_t>(j)];
        weight = std::exp(score / std::sqrt(static_cast<double>(kWidth)));
        total += weight;
      }
      for (int64_t d = first; d < first + kWidth; ++d) {
        for (int64_t j = 0; j < kPixels; ++j) {
          y[place(i, d)] += weights[static_cast<size_t>(j)] / total * v[place(j, d)];
        }
      }
    }
  }
  return y;
}

TEST_CASE("self-attention of a unet is softmax(q k^T / sqrt(d)) v of the normalised pixels") {
  RandomStream random(1, stream_id("weights"));
  UnetSelfAttention layer({.channels = kChannels, .heads = kHeads, .groups = 2}, random);
  fill_zero_parameters(layer, 2);
  layer.to(DType::f64);
  const nn::StateDict state = layer.state_dict();
  const Tensor x = uniform({1, 2, 3, kChannels}, -1.0, 1.0, random, DType::f64);
  const NoGrad no_grad;
  const Tensor normalised =
      group_norm(x, state.at("group_norm.weight"), state.at("group_norm.bias"), {.groups = 2});
  const double* const n = normalised.data<double>();
  const Rows rows(n, n + normalised.numel());
  const Rows mixed =
      naive_attention(naive_linear(state, "to_q", rows), naive_linear(state, "to_k", rows),
                      naive_linear(state, "to_v", rows));
  const Rows expected = naive_linear(state, "to_out.0", mixed);
  const Tensor y = layer.forward(x).contiguous();
  REQUIRE(y.shape() == x.shape());
  for (int64_t i = 0; i < y.numel(); ++i) {
    CHECK(y.data<double>()[i] ==
          doctest::Approx(x.data<double>()[i] + expected[static_cast<size_t>(i)]).epsilon(1e-12));
  }
}

TEST_CASE("asymmetric padding puts zeros behind the image alone") {
  // A convolution that gives the pixel under its first tap.
  const auto first_tap = [](DownPadding padding) {
    RandomStream random(1, stream_id("weights"));
    UnetDownsample layer(1, padding, random);
    const nn::StateDict state = layer.state_dict();
    const Tensor weight = Tensor::zeros({1, 3, 3, 1});
    weight.data<float>()[0] = 1.0F;
    state.at("conv.weight").copy_(weight);
    state.at("conv.bias").copy_(Tensor::zeros({1}));
    const Tensor x = Tensor::empty({1, 4, 4, 1});
    for (int64_t i = 0; i < 16; ++i) x.data<float>()[i] = static_cast<float>(i + 1);
    const NoGrad no_grad;
    const Tensor y = layer.forward(x).contiguous();
    CHECK(y.shape() == Shape{1, 2, 2, 1});
    return std::vector<float>(y.data<float>(), y.data<float>() + 4);
  };
  CHECK(first_tap(DownPadding::symmetric) == std::vector<float>{0.0F, 0.0F, 0.0F, 6.0F});
  CHECK(first_tap(DownPadding::asymmetric) == std::vector<float>{1.0F, 3.0F, 9.0F, 11.0F});
}

}  // namespace
}  // namespace diagrad::models
