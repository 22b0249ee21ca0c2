#include "diagrad/ops/layer_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/core/threads.h"
#include "diagrad/ops/linear.h"

namespace diagrad {
namespace {

/// Around the widths of vectors, of the vectors that one turn of a loop takes, and beyond.
constexpr int64_t kWidths[] = {1, 2, 15, 16, 17, 63, 64, 65, 191, 192, 193, 1000};
constexpr double kEpsilon = 1e-6;

struct Inputs {
  Tensor x, gamma, beta, dy;

  Inputs(int64_t rows, int64_t width, double offset, DType dtype) {
    RandomStream random(5, stream_id("layer_norm"));
    x = uniform({rows, width}, offset - 1.0, offset + 1.0, random).to(dtype);
    gamma = uniform({width}, 0.5, 1.5, random).to(dtype);
    beta = uniform({width}, -1.0, 1.0, random).to(dtype);
    dy = uniform({rows, width}, -1.0, 1.0, random).to(dtype);
  }
};

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
  return a.shape() == b.shape() && std::memcmp(a.raw_data(), b.raw_data(), bytes) == 0;
}

/// y, dx, dgamma, dbeta.
std::vector<Tensor> run(const Inputs& in) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : {in.x, in.gamma, in.beta}) {
    leaves.push_back(input.detach());
    leaves.back().set_requires_grad(true);
  }
  const Tensor y = layer_norm(leaves[0], leaves[1], leaves[2], kEpsilon);
  std::vector<Tensor> results =
      autograd::grad(std::vector<Tensor>{y}, leaves, std::vector<Tensor>{in.dy});
  results.insert(results.begin(), y.detach());
  return results;
}

/// The same by the definitions, row by row in double precision.
std::vector<Tensor> oracle(const Inputs& in) {
  const int64_t rows = in.x.size(0);
  const int64_t width = in.x.size(1);
  const Tensor x = in.x.to(DType::f64);
  const Tensor gamma = in.gamma.to(DType::f64);
  const Tensor beta = in.beta.to(DType::f64);
  const Tensor dy = in.dy.to(DType::f64);
  const Tensor y = Tensor::zeros({rows, width}, DType::f64);
  const Tensor dx = Tensor::zeros({rows, width}, DType::f64);
  const Tensor dgamma = Tensor::zeros({width}, DType::f64);
  const Tensor dbeta = Tensor::zeros({width}, DType::f64);
  const auto size = static_cast<double>(width);
  for (int64_t r = 0; r < rows; ++r) {
    const double* const row = x.data<double>() + r * width;
    const double* const gradient = dy.data<double>() + r * width;
    double mean = 0.0;
    for (int64_t i = 0; i < width; ++i) mean += row[i] / size;
    double variance = 0.0;
    for (int64_t i = 0; i < width; ++i) variance += (row[i] - mean) * (row[i] - mean) / size;
    const double rstd = 1.0 / std::sqrt(variance + kEpsilon);
    double mean_product = 0.0;
    double mean_moment = 0.0;
    for (int64_t i = 0; i < width; ++i) {
      const double normal = (row[i] - mean) * rstd;
      const double product = gradient[i] * gamma.data<double>()[i];
      mean_product += product / size;
      mean_moment += product * normal / size;
      dgamma.data<double>()[i] += gradient[i] * normal;
      dbeta.data<double>()[i] += gradient[i];
      y.data<double>()[r * width + i] = normal * gamma.data<double>()[i] + beta.data<double>()[i];
    }
    for (int64_t i = 0; i < width; ++i) {
      const double normal = (row[i] - mean) * rstd;
      const double product = gradient[i] * gamma.data<double>()[i];
      dx.data<double>()[r * width + i] = rstd * (product - mean_product - normal * mean_moment);
    }
  }
  return {y, dx, dgamma, dbeta};
}

/// The largest difference from the expected values, over their largest or 1.
double error(const Tensor& got, const Tensor& expected) {
  const Tensor values = got.to(DType::f64);
  double scale = 1.0;
  double largest = 0.0;
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const double difference = std::abs(values.data<double>()[i] - expected.data<double>()[i]);
    scale = std::max(scale, std::abs(expected.data<double>()[i]));
    largest = std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                     : std::max(largest, difference);
  }
  return largest / scale;
}

TEST_CASE("layer norm has the definition's values and gradients around the widths of vectors") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t width : kWidths) {
      // The rows of more than one chunk, and not whole blocks of rows.
      const int64_t rows = 16384 / width + 19;
      for (const double offset : {0.0, 100.0}) {
        const Inputs in(rows, width, offset, dtype);
        const std::vector<Tensor> got = run(in);
        const std::vector<Tensor> expected = oracle(in);
        for (size_t i = 0; i < got.size(); ++i) {
          CAPTURE(width);
          CAPTURE(offset);
          CAPTURE(i);
          // dx of one feature is the difference of two equal terms of the size of rstd.
          const double terms = width == 1 ? 1.0 / std::sqrt(kEpsilon) : 1.0;
          CHECK(error(got[i], expected[i]) <= terms * (dtype == DType::f32 ? 2e-6 : 2e-13));
        }
      }
    }
  }
}

TEST_CASE("a row of layer norm has the same bits alone, among others and for any threads") {
  const int before = num_threads();
  for (const int64_t width : {17, 192}) {
    const Inputs in(301, width, 3.0, DType::f32);
    set_num_threads(1);
    const std::vector<Tensor> one = run(in);
    set_num_threads(3);
    const std::vector<Tensor> three = run(in);
    for (size_t i = 0; i < one.size(); ++i) {
      CHECK(std::memcmp(one[i].raw_data(), three[i].raw_data(),
                        static_cast<size_t>(one[i].numel()) * sizeof(float)) == 0);
    }
    const Tensor row = in.x.strided({1, width}, {width, 1}).clone();
    const Tensor alone = layer_norm(row, in.gamma, in.beta, kEpsilon);
    CHECK(std::memcmp(alone.raw_data(), one[0].raw_data(),
                      static_cast<size_t>(width) * sizeof(float)) == 0);
  }
  set_num_threads(before);
}

TEST_CASE("layer norm keeps a bad value within its row") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
    for (const int64_t width : {3, 16, 21}) {
      const Inputs in(5, width, 0.0, DType::f32);
      const std::vector<Tensor> good = run(in);
      in.x.data<float>()[3 * width - 1] = bad;
      const std::vector<Tensor> got = run(in);
      for (int64_t i = 0; i < 5 * width; ++i) {
        for (size_t result : {0, 1}) {
          const float value = got[result].data<float>()[i];
          const bool in_bad_row = i / width == 2;
          CHECK((in_bad_row ? std::isnan(value) : value == good[result].data<float>()[i]));
        }
      }
    }
  }
}

TEST_CASE("layer_norm_linear has the bits of both and keeps nothing between them") {
  RandomStream random(6, 1);
  const Inputs in(130, 96, 3.0, DType::f32);
  const Tensor w = uniform({50, 96}, -1.0, 1.0, random).to(DType::f32);
  const Tensor bias = uniform({50}, -1.0, 1.0, random).to(DType::f32);
  const Tensor dy = uniform({130, 50}, -1.0, 1.0, random).to(DType::f32);
  const auto results = [&](const auto& layer) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : {in.x, in.gamma, in.beta, w, bias}) {
      leaves.push_back(input.clone());
      leaves.back().set_requires_grad(true);
    }
    const int64_t before = CpuAllocator::instance().stats().current_bytes;
    const Tensor y = layer(leaves);
    const int64_t kept = CpuAllocator::instance().stats().current_bytes - before;
    backward(y, dy);
    std::vector<Tensor> all{y.detach()};
    for (const Tensor& leaf : leaves) all.push_back(leaf.grad());
    return std::make_pair(all, kept);
  };
  const auto fused = results([](const std::vector<Tensor>& x) {
    return layer_norm_linear(x[0], x[1], x[2], x[3], x[4], kEpsilon);
  });
  const auto composed = results([](const std::vector<Tensor>& x) {
    return linear(layer_norm(x[0], x[1], x[2], kEpsilon), x[3], x[4]);
  });
  for (size_t i = 0; i < fused.first.size(); ++i) {
    CAPTURE(i);
    CHECK(same_bits(fused.first[i], composed.first[i]));
  }
  CHECK(fused.second + in.x.numel() * 4 <= composed.second);
}

}  // namespace
}  // namespace diagrad
