#include "diagrad/ops/scaled_dot_product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "diagrad/core/philox.h"
#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Sizes {
  int64_t batch, heads, queries, keys, width, value_width;
};

/// What a case adds to q, k and v.
struct Settings {
  Shape mask = {};          ///< of an additive or a u8 mask
  bool additive = false;    ///< values in [-2, 2), a fifth -infinity
  bool masked_row = false;  ///< the u8 mask lets query 1 attend to no key
  ScaledDotProductOptions options = {};
};

double score(std::span<const Tensor> in, const Tensor& mask, const ScaledDotProductOptions& options,
             const Index& at) {
  if (options.causal && at[3] > at[2]) return -kInfinity;
  if (mask.defined() && mask.dtype() == DType::u8 && broadcast_value(mask, at) == 0.0) {
    return -kInfinity;
  }
  const int64_t width = in[0].size(3);
  double sum = 0.0;
  for (int64_t c = 0; c < width; ++c) {
    sum += value_at(in[0], {at[0], at[1], at[2], c}) * value_at(in[1], {at[0], at[1], at[3], c});
  }
  sum *= options.scale == 0.0 ? 1.0 / std::sqrt(static_cast<double>(width)) : options.scale;
  if (mask.defined() && mask.dtype() == DType::f64) sum += broadcast_value(mask, at);
  return sum;
}

/// The weights of one query with all keys, before dropout.
std::vector<double> weights_of(std::span<const Tensor> in, const Tensor& mask,
                               const ScaledDotProductOptions& options, Index at) {
  std::vector<double> weights;
  double largest = -kInfinity;
  for (at[3] = 0; at[3] < in[1].size(2); ++at[3]) {
    weights.push_back(score(in, mask, options, at));
    largest = std::max(largest, weights.back());
  }
  double sum = 0.0;
  for (double& weight : weights) {
    weight = largest == -kInfinity ? 0.0 : std::exp(weight - largest);
    sum += weight;
  }
  for (double& weight : weights) weight = sum == 0.0 ? 0.0 : weight / sum;
  return weights;
}

bool kept(const ScaledDotProductOptions& options, uint64_t element) {
  const uint32_t word = philox4x32(options.seed, options.stream, element / 4).word[element % 4];
  return static_cast<double>(word) >= options.dropout * 4294967296.0;
}

Tensor reference(std::span<const Tensor> in, const ScaledDotProductOptions& options) {
  const Tensor mask = in.size() > 3 ? in[3] : Tensor();
  const Shape result{in[0].size(0), in[0].size(1), in[0].size(2), in[2].size(3)};
  return tensor_of(result, [&](const Index& at) {
    const std::vector<double> weights = weights_of(in, mask, options, at);
    const auto keys = static_cast<int64_t>(weights.size());
    const int64_t first = ((at[0] * result[1] + at[1]) * result[2] + at[2]) * keys;
    double sum = 0.0;
    for (int64_t key = 0; key < keys; ++key) {
      if (!kept(options, static_cast<uint64_t>(first + key))) continue;
      sum += weights[static_cast<size_t>(key)] / (1.0 - options.dropout) *
             value_at(in[2], {at[0], at[1], key, at[3]});
    }
    return sum;
  });
}

Tensor draw_mask(RandomStream& random, const Settings& settings) {
  const Tensor values = random_input(random, settings.mask, -2.0, 2.0);
  if (settings.additive) {
    for (int64_t i = 0; i < values.numel(); ++i) {
      if (random.below(5) == 0) values.data<double>()[i] = -kInfinity;
    }
    return values;
  }
  const Tensor mask = Tensor::empty(settings.mask, DType::u8);
  const int64_t keys = settings.mask.back();
  const int64_t queries = settings.mask[-2];
  for (int64_t i = 0; i < mask.numel(); ++i) {
    const bool none = settings.masked_row && i / keys % queries == 1;
    mask.data<uint8_t>()[i] = values.data<double>()[i] > -1.0 && !none ? 1 : 0;
  }
  return mask;
}

OpCase make_case(std::string variant, const Sizes& s, const Settings& settings = {}) {
  OpCase result;
  result.op = "scaled_dot_product_attention";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, {s.batch, s.heads, s.queries, s.width}),
                               random_input(random, {s.batch, s.heads, s.keys, s.width}),
                               random_input(random, {s.batch, s.heads, s.keys, s.value_width})};
    if (!settings.mask.empty()) inputs.push_back(draw_mask(random, settings));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    ScaledDotProductOptions options = settings.options;
    if (in.size() > 3) options.mask = in[3];
    return std::vector<Tensor>{scaled_dot_product_attention(in[0], in[1], in[2], options)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{reference(in, settings.options)};
  };
  // Of a single key the weight is 1, whatever q and k are.
  result.differentiable = {s.keys != 1, s.keys != 1, true};
  if (!settings.mask.empty()) result.differentiable.push_back(false);
  result.reduction_length = s.keys + s.width;
  result.empty = s.batch * s.heads * s.queries * s.keys == 0;
  return result;
}

OpCase weights_case(std::string variant, const Sizes& s, const Settings& settings,
                    std::vector<int64_t> rows) {
  OpCase result = make_case(std::move(variant), s, settings);
  result.op = "attention_weights";
  result.run = [=](std::span<const Tensor> in) {
    ScaledDotProductOptions options = settings.options;
    if (in.size() > 3) options.mask = in[3];
    return std::vector<Tensor>{attention_weights(in[0], in[1], rows, options)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    const Shape shape{s.batch, s.heads, static_cast<int64_t>(rows.size()), s.keys};
    const Tensor mask = in.size() > 3 ? in[3] : Tensor();
    return std::vector<Tensor>{tensor_of(shape, [&](const Index& at) {
      const Index query{at[0], at[1], rows[static_cast<size_t>(at[2])], 0};
      return weights_of(in, mask, settings.options, query)[static_cast<size_t>(at[3])];
    })};
  };
  result.has_gradient = false;
  result.empty = result.empty || rows.empty();
  result.differentiable = {};
  return result;
}

/// Part `index` of a projection [B,T,3 heads d]: [B,heads,T,d].
Tensor part_of(const Tensor& qkv, int64_t heads, int64_t index) {
  const int64_t width = qkv.size(2) / (3 * heads);
  return tensor_of({qkv.size(0), heads, qkv.size(1), width}, [&](const Index& at) {
    return value_at(qkv, {at[0], at[2], (index * heads + at[1]) * width + at[3], 0});
  });
}

/// `mask`: a mask of added values [T,T].
OpCase packed_case(std::string variant, const Sizes& s, const Settings& settings = {}) {
  OpCase result = make_case(std::move(variant), s, settings);
  result.op = "packed_attention";
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, {s.batch, s.queries, 3 * s.heads * s.width})};
    if (!settings.mask.empty()) inputs.push_back(draw_mask(random, settings));
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    ScaledDotProductOptions options = settings.options;
    if (in.size() > 1) options.mask = in[1];
    return std::vector<Tensor>{packed_attention(in[0], s.heads, options)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < 3; ++i) parts.push_back(part_of(in[0], s.heads, i));
    parts.insert(parts.end(), in.begin() + 1, in.end());
    const Tensor y = reference(parts, settings.options);
    return std::vector<Tensor>{
        tensor_of({s.batch, s.queries, s.heads, s.width}, [&](const Index& at) {
          return value_at(y, {at[0], at[2], at[1], at[3]});
        })};
  };
  result.differentiable = {true};
  if (!settings.mask.empty()) result.differentiable.push_back(false);
  return result;
}

const OpCaseRegistration registered{
    make_case("few tokens", {2, 3, 5, 5, 8, 8}),
    make_case("one token", {2, 2, 1, 1, 3, 3}),
    make_case("odd sizes, values of another width", {1, 2, 7, 11, 5, 19}),
    make_case("several blocks of keys and panels of queries", {1, 2, 137, 139, 4, 3}),
    make_case("wide heads", {1, 1, 20, 17, 67, 53}),
    make_case("causal", {2, 2, 19, 19, 6, 6}, {.options = {.causal = true}}),
    make_case("causal, more queries than keys", {1, 1, 150, 20, 3, 3},
              {.options = {.causal = true}}),
    make_case("causal, more keys than queries", {1, 2, 9, 140, 3, 3},
              {.options = {.causal = true}}),
    make_case("scale", {1, 2, 6, 9, 4, 5}, {.options = {.scale = -0.7}}),
    make_case("added mask for all", {2, 2, 9, 33, 4, 4}, {.mask = {2, 2, 9, 33}, .additive = true}),
    make_case("added mask that repeats", {2, 3, 9, 14, 4, 4}, {.mask = {9, 14}, .additive = true}),
    make_case("mask of bits per image and key", {3, 2, 9, 14, 4, 4}, {.mask = {3, 1, 1, 14}}),
    make_case("mask of bits with a query that attends to no key", {2, 2, 6, 7, 4, 4},
              {.mask = {2, 1, 6, 7}, .masked_row = true}),
    make_case("causal and mask of bits", {1, 2, 50, 50, 3, 3},
              {.mask = {50, 50}, .masked_row = true, .options = {.causal = true}}),
    make_case("dropout", {2, 2, 9, 13, 4, 4},
              {.options = {.dropout = 0.3, .seed = 7, .stream = 3}}),
    make_case("dropout, several blocks", {1, 2, 51, 130, 3, 3},
              {.options = {.dropout = 0.5, .seed = 1, .stream = 9}}),
    make_case("no images", {0, 2, 5, 5, 4, 4}),
    make_case("no queries", {2, 2, 0, 5, 4, 4}),
    make_case("no keys", {2, 2, 5, 0, 4, 4}),
    weights_case("all rows", {2, 2, 5, 9, 4, 4}, {}, {0, 1, 2, 3, 4}),
    weights_case("some rows, twice and in any order", {1, 3, 60, 131, 5, 5}, {}, {59, 0, 17, 17}),
    weights_case("many rows", {1, 1, 70, 7, 5, 5}, {},
                 [] {
                   std::vector<int64_t> rows;
                   for (int64_t i = 0; i < 70; ++i) rows.push_back(69 - i);
                   return rows;
                 }()),
    weights_case("causal", {1, 2, 9, 9, 4, 4}, {.options = {.causal = true}}, {0, 8, 4}),
    weights_case("mask of bits", {2, 2, 6, 7, 4, 4}, {.mask = {2, 1, 6, 7}, .masked_row = true},
                 {1, 2}),
    weights_case("no rows", {1, 2, 9, 9, 4, 4}, {}, {}),
    packed_case("few tokens", {2, 3, 5, 5, 8, 8}),
    packed_case("several blocks and panels", {1, 2, 139, 139, 3, 3}),
    packed_case("wide heads", {2, 2, 18, 18, 19, 19}),
    packed_case("causal, scale", {2, 2, 19, 19, 6, 6}, {.options = {.causal = true, .scale = 0.3}}),
    packed_case("mask of bits with a query that attends to no key", {2, 2, 6, 6, 4, 4},
                {.mask = {6, 6}, .masked_row = true}),
    packed_case("dropout", {2, 2, 9, 9, 4, 4}, {.options = {.dropout = 0.3, .seed = 7}}),
    packed_case("no images", {0, 2, 5, 5, 4, 4}),
    packed_case("no tokens", {2, 2, 0, 0, 4, 4}),
};

}  // namespace
}  // namespace diagrad::testing
