#include "diagrad/ops/scaled_dot_product.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/core/threads.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/softmax.h"
#include "diagrad/ops/transpose.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// q, k, v and the gradient of the result.
struct Inputs {
  Tensor q, k, v, dy;

  Inputs(const Shape& shape, int64_t keys, DType dtype, uint64_t seed = 1) {
    RandomStream random(seed, stream_id("attention"));
    const Shape of_keys{shape[0], shape[1], keys, shape[3]};
    q = uniform(shape, -2.0, 2.0, random).to(dtype);
    k = uniform(of_keys, -2.0, 2.0, random).to(dtype);
    v = uniform(of_keys, -1.0, 1.0, random).to(dtype);
    dy = uniform(shape, -1.0, 1.0, random).to(dtype);
  }
};

/// The composed form: the same from products and a softmax that hold all scores.
Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  const Tensor scores = mul(matmul(q, k, {.transpose_b = true}), scale);
  return matmul(softmax(mask.defined() ? add(scores, mask) : scores, -1), v);
}

/// The result and the gradients of q, k and v.
template <typename Function>
std::vector<Tensor> run(const Inputs& in, const Function& attention) {
  std::vector<Tensor> leaves;
  for (const Tensor& x : {in.q, in.k, in.v}) {
    leaves.push_back(x.detach());
    leaves.back().set_requires_grad(true);
  }
  const Tensor y = attention(leaves[0], leaves[1], leaves[2]);
  std::vector<Tensor> results =
      autograd::grad(std::vector<Tensor>{y}, leaves, std::vector<Tensor>{in.dy});
  results.insert(results.begin(), y.detach());
  return results;
}

/// The largest difference relative to the largest value; infinite where one is not finite.
double distance(const Tensor& got, const Tensor& expected) {
  const Tensor a = got.to(DType::f64).contiguous();
  const Tensor b = expected.to(DType::f64).contiguous();
  double worst = 0.0;
  double largest = 1e-300;
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double difference = std::abs(a.data<double>()[i] - b.data<double>()[i]);
    worst = std::isfinite(difference) ? std::max(worst, difference) : kInfinity;
    largest = std::max(largest, std::abs(b.data<double>()[i]));
  }
  return worst / largest;
}

double worst_distance(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  double worst = 0.0;
  for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, distance(got[i], expected[i]));
  return worst;
}

bool same_bits(const Tensor& got, const Tensor& expected) {
  const Tensor a = got.contiguous();
  const Tensor b = expected.contiguous();
  return std::memcmp(a.raw_data(), b.raw_data(),
                     static_cast<size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

/// 1 to 70 and primes around the edges of blocks of 128 keys and panels of 24 or 48 queries.
std::vector<int64_t> token_counts() {
  std::vector<int64_t> counts;
  for (int64_t tokens = 1; tokens <= 70; ++tokens) counts.push_back(tokens);
  for (const int64_t tokens : {89, 97, 101, 127, 131, 139, 149, 191, 193, 251, 257, 283, 293}) {
    counts.push_back(tokens);
  }
  return counts;
}

Tensor causal_mask(int64_t tokens, DType dtype) {
  const Tensor mask = Tensor::zeros({tokens, tokens}, DType::f64);
  for (int64_t i = 0; i < tokens * tokens; ++i) {
    if (i % tokens > i / tokens) mask.data<double>()[i] = -kInfinity;
  }
  return mask.to(dtype);
}

TEST_CASE("attention is the composed form for any number of tokens, forward and backward") {
  for (const int64_t tokens : token_counts()) {
    CAPTURE(tokens);
    const int64_t width = tokens % 3 == 0 ? 16 : 5;
    for (const DType dtype : {DType::f64, DType::f32}) {
      const double allowed = dtype == DType::f64 ? 1e-13 : 2e-5;
      const Inputs in({1, 2, tokens, width}, tokens, dtype);
      // A single weight is 1 and q and k have no gradient.
      const size_t compared = tokens == 1 ? 1 : 4;
      for (const bool causal : {false, true}) {
        const Tensor mask = causal ? causal_mask(tokens, dtype) : Tensor();
        std::vector<Tensor> got = run(in, [&](const auto&... x) {
          return scaled_dot_product_attention(x..., {.causal = causal});
        });
        std::vector<Tensor> expected =
            run(in, [&](const auto&... x) { return composed(x..., mask); });
        got.resize(compared);
        expected.resize(compared);
        CHECK(worst_distance(got, expected) < allowed);
      }
    }
  }
}

TEST_CASE("attention has the same bits for any number of threads") {
  const int before = num_threads();
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Inputs in({2, 3, 331, 24}, 197, dtype);
    const auto attention = [](const auto&... x) {
      return scaled_dot_product_attention(x..., {.dropout = 0.2, .seed = 3, .stream = 4});
    };
    set_num_threads(1);
    const std::vector<Tensor> one = run(in, attention);
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      const std::vector<Tensor> several = run(in, attention);
      for (size_t i = 0; i < one.size(); ++i) CHECK(same_bits(several[i], one[i]));
    }
  }
  set_num_threads(before);
}

TEST_CASE("slices of one projection [B,T,3,heads,d] are read in place") {
  RandomStream random(2, 2);
  const Tensor qkv = uniform({2, 300, 3, 4, 16}, -1.0, 1.0, random).to(DType::f32);
  std::vector<Tensor> views;
  std::vector<Tensor> copies;
  for (int64_t i = 0; i < 3; ++i) {
    views.push_back(transpose(squeeze(slice(qkv, 2, i, i + 1), 2), 1, 2));
    copies.push_back(views.back().clone());
  }
  CHECK_FALSE(views[0].is_contiguous());
  const Tensor expected = scaled_dot_product_attention(copies[0], copies[1], copies[2]);
  const int before = num_threads();
  set_num_threads(1);
  CpuAllocator& allocator = CpuAllocator::instance();
  allocator.reset_peak();
  const int64_t start = allocator.stats().current_bytes;
  const Tensor y = scaled_dot_product_attention(views[0], views[1], views[2]);
  const int64_t used = allocator.stats().peak_bytes - start;
  set_num_threads(before);
  CHECK(same_bits(y, expected));
  CHECK(used < 2 * y.numel() * 4);  // the result and blocks, no copy of q, k and v
  CHECK(transpose(y, 1, 2).is_contiguous());
}

TEST_CASE("packed attention has the bits of its slices, also in gradients") {
  RandomStream random(4, 2);
  const Tensor values = uniform({2, 65, 3 * 4 * 16}, -1.0, 1.0, random).to(DType::f32);
  const Tensor dy = uniform({2, 65, 4, 16}, -1.0, 1.0, random).to(DType::f32);
  const auto gradient = [&](const auto& attend) {
    const Tensor x = values.clone();
    x.set_requires_grad(true);
    const Tensor y = attend(x);
    backward(y, dy);
    return std::vector<Tensor>{y.detach().contiguous(), x.grad()};
  };
  const auto packed = gradient([](const Tensor& x) { return packed_attention(x, 4); });
  const auto sliced = gradient([](const Tensor& x) {
    const Tensor by_head = reshape(x, {2, 65, 12, 16});
    const auto part = [&](int64_t i) {
      return transpose(slice(by_head, 2, 4 * i, 4 * i + 4), 1, 2);
    };
    return transpose(scaled_dot_product_attention(part(0), part(1), part(2)), 1, 2);
  });
  CHECK(same_bits(packed[0], sliced[0]));
  CHECK(same_bits(packed[1], sliced[1]));
}

/// Bytes at the peak of a forward and backward pass, inputs aside.
int64_t peak_of(int64_t tokens) {
  const Inputs in({1, 1, tokens, 64}, tokens, DType::f32);
  CpuAllocator& allocator = CpuAllocator::instance();
  allocator.reset_peak();
  const int64_t start = allocator.stats().current_bytes;
  run(in, [](const auto&... x) { return scaled_dot_product_attention(x...); });
  return allocator.stats().peak_bytes - start;
}

TEST_CASE("attention takes memory in proportion to the number of tokens") {
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const int64_t few = peak_of(64);
    const int64_t many = peak_of(4096);
    CAPTURE(few);
    CAPTURE(many);
    CHECK(static_cast<double>(many) <= 1.1 * 64.0 * static_cast<double>(few));
  }
  set_num_threads(before);
}

TEST_CASE("a query that attends to no key gets zeros and gives zero gradients") {
  constexpr int64_t kTokens = 140;
  constexpr int64_t kWidth = 8;
  const Tensor bits = Tensor::ones({kTokens, kTokens}, DType::u8);
  for (const int64_t row : {3, 47, 48, 139}) {
    for (int64_t key = 0; key < kTokens; ++key) bits.data<uint8_t>()[row * kTokens + key] = 0;
  }
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor added = Tensor::zeros({kTokens, kTokens}, DType::f64);
    for (int64_t i = 0; i < bits.numel(); ++i) {
      if (bits.data<uint8_t>()[i] == 0) added.data<double>()[i] = -kInfinity;
    }
    const Inputs in({1, 1, kTokens, kWidth}, kTokens, dtype);
    for (const Tensor& mask : {bits, added.to(dtype)}) {
      const std::vector<Tensor> results = run(
          in, [&](const auto&... x) { return scaled_dot_product_attention(x..., {.mask = mask}); });
      for (const Tensor& result : results) CHECK(std::isfinite(distance(result, result)));
      for (const Tensor& of_queries : {results[0], results[1]}) {
        const Tensor values = of_queries.to(DType::f64).contiguous();
        for (int64_t i = 0; i < values.numel(); ++i) {
          const bool masked = bits.data<uint8_t>()[i / kWidth * kTokens] == 0;
          CHECK((values.data<double>()[i] == 0.0) == masked);
        }
      }
    }
  }
}

/// Whether NaN and infinities are at the same places.
bool same_special_values(const Tensor& got, const Tensor& expected) {
  const Tensor a = got.to(DType::f64).contiguous();
  const Tensor b = expected.to(DType::f64).contiguous();
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = a.data<double>()[i];
    const double y = b.data<double>()[i];
    if (std::isnan(x) != std::isnan(y) || std::isinf(x) != std::isinf(y)) return false;
    if (std::isinf(x) && x != y) return false;
  }
  return true;
}

TEST_CASE("NaN and infinities of q, k and v go where they go in the composed form") {
  constexpr int64_t kTokens = 150;
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const double value : {kNan, kInfinity, -kInfinity}) {
      for (const int which : {0, 1, 2}) {
        CAPTURE(value);
        CAPTURE(which);
        const Inputs in({1, 1, kTokens, 6}, kTokens, dtype);
        const Tensor& changed = which == 0 ? in.q : which == 1 ? in.k : in.v;
        changed.strided({1}, {1}, 133 * 6 + 2).fill_(value);
        const std::vector<Tensor> got =
            run(in, [](const auto&... x) { return scaled_dot_product_attention(x...); });
        const std::vector<Tensor> expected =
            run(in, [](const auto&... x) { return composed(x...); });
        for (size_t i = 0; i < got.size(); ++i) {
          CAPTURE(i);
          CHECK(same_special_values(got[i], expected[i]));
        }
      }
    }
  }
}

TEST_CASE("large scores do not overflow") {
  const Inputs in({1, 2, 33, 8}, 33, DType::f64);
  in.q.copy_(mul(in.q, 1e4));
  const auto expected = run(in, [](const auto&... x) { return composed(x...); });
  const auto got = run(in, [](const auto&... x) { return scaled_dot_product_attention(x...); });
  CHECK(worst_distance(got, expected) < 1e-8);
}

TEST_CASE("dropout with probability 1 gives zeros, other streams other masks") {
  const Inputs in({1, 2, 20, 8}, 20, DType::f64);
  const Tensor none = scaled_dot_product_attention(in.q, in.k, in.v, {.dropout = 1.0});
  CHECK(same_bits(none, Tensor::zeros_like(none)));
  const auto dropped = [&](uint64_t seed, uint64_t stream) {
    return scaled_dot_product_attention(in.q, in.k, in.v,
                                        {.dropout = 0.5, .seed = seed, .stream = stream});
  };
  CHECK(same_bits(dropped(1, 2), dropped(1, 2)));
  CHECK_FALSE(same_bits(dropped(1, 2), dropped(1, 3)));
  CHECK_FALSE(same_bits(dropped(1, 2), dropped(2, 2)));
}

TEST_CASE("attention_weights gives rows of the softmax, without dropout") {
  const Inputs in({2, 2, 150, 8}, 150, DType::f64);
  const std::vector<int64_t> rows{149, 0, 70};
  const Tensor weights = attention_weights(in.q, in.k, rows, {.dropout = 0.5});
  const double scale = 1.0 / std::sqrt(8.0);
  const Tensor all = softmax(mul(matmul(in.q, in.k, {.transpose_b = true}), scale), -1);
  for (int64_t r = 0; r < 3; ++r) {
    const int64_t row = rows[static_cast<size_t>(r)];
    CHECK(distance(slice(weights, 2, r, r + 1), slice(all, 2, row, row + 1)) < 1e-13);
  }
  in.q.set_requires_grad(true);
  CHECK_FALSE(attention_weights(in.q, in.k, rows).requires_grad());
}

TEST_CASE("attention says what does not fit, with the numbers") {
  const Tensor q = Tensor::zeros({2, 3, 4, 5});
  const auto message = [&](const Tensor& k, const Tensor& v,
                           const ScaledDotProductOptions& options = {}) {
    return error_message([&] { scaled_dot_product_attention(q, k, v, options); });
  };
  CHECK(message(Tensor::zeros({2, 3, 4, 6}), q) ==
        "scaled_dot_product_attention: expected queries [B,heads,Tq,d] and keys [B,heads,Tk,d] "
        "with d > 0, got [2,3,4,5] and [2,3,4,6]");
  CHECK(message(Tensor::zeros({2, 3, 4, 5}, DType::f64), q) ==
        "scaled_dot_product_attention: queries are f32 but keys are f64; convert with to() so that "
        "they agree");
  CHECK(message(q, Tensor::zeros({2, 3, 7, 5})) ==
        "scaled_dot_product_attention: expected values [B,heads,Tk,dv] with dv > 0 beside keys "
        "[2,3,4,5], got [2,3,7,5]");
  CHECK(message(q, Tensor::zeros({2, 3, 4, 5}, DType::f64)) ==
        "scaled_dot_product_attention: values are f64 but keys are f32; convert with to() so that "
        "they agree");
  CHECK(message(q, q, {.mask = Tensor::zeros({4, 5})}) ==
        "scaled_dot_product_attention: a mask [4,5] does not broadcast to the scores "
        "[B,heads,Tq,Tk], here [2,3,4,4]");
  CHECK(message(q, q, {.mask = Tensor::zeros({4, 4}, DType::f64)}) ==
        "scaled_dot_product_attention: the mask is f64; expected u8 (1: attend) or, to be added, "
        "f32 as the queries");
  const Tensor trained = Tensor::zeros({4, 4});
  trained.set_requires_grad(true);
  CHECK(message(q, q, {.mask = trained}) ==
        "scaled_dot_product_attention: the mask requires gradients, which attention does not give; "
        "detach() it");
  CHECK(message(q, q, {.scale = kInfinity}) ==
        "scaled_dot_product_attention: scale inf is not finite");
  CHECK(message(q, q, {.dropout = 1.5}) ==
        "scaled_dot_product_attention: probability 1.5 is outside [0, 1]");
  CHECK(error_message([&] {
          attention_weights(q, q, std::vector<int64_t>{0, 4});
        }) == "attention_weights: there is no query 4 in queries [2,3,4,5]; Tq is 4");
  CHECK(error_message([&] {
          packed_attention(Tensor::zeros({2, 5, 32}), 4);
        }) ==
        "packed_attention: expected queries, keys and values [B,T,3*heads*d] of 4 heads, got "
        "[2,5,32]");
}

}  // namespace
}  // namespace diagrad
