#include "diagrad/ops/cpu/conv/weight_gradient.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"

namespace diagrad {
namespace {

template <typename T>
std::vector<T> random_values(int64_t count, RandomStream& random) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(random.normal());
  return values;
}

/// dw[o, r, s, c] by its definition.
template <typename T>
std::vector<double> definition(const ConvGeometry& g, const std::vector<T>& x,
                               const std::vector<T>& dy) {
  std::vector<double> dw;
  for (int64_t i = 0; i < g.out_channels * g.taps() * g.in_channels; ++i) {
    const int64_t c = i % g.in_channels;
    const int64_t s = i / g.in_channels % g.kernel.w;
    const int64_t r = i / g.in_channels / g.kernel.w % g.kernel.h;
    const int64_t o = i / g.in_channels / g.taps();
    double sum = 0.0;
    for (int64_t pixel = 0; pixel < g.out_pixels(); ++pixel) {
      const int64_t image = pixel / (g.output.h * g.output.w);
      const int64_t row =
          pixel / g.output.w % g.output.h * g.stride.h + r * g.dilation.h - g.padding.h;
      const int64_t column = pixel % g.output.w * g.stride.w + s * g.dilation.w - g.padding.w;
      if (row < 0 || row >= g.input.h || column < 0 || column >= g.input.w) continue;
      const int64_t at = ((image * g.input.h + row) * g.input.w + column) * g.in_channels + c;
      sum += static_cast<double>(dy[static_cast<size_t>(pixel * g.out_channels + o)]) *
             static_cast<double>(x[static_cast<size_t>(at)]);
    }
    dw.push_back(sum);
  }
  return dw;
}

ConvGeometry geometry(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride,
                      int64_t dilation) {
  ConvGeometry g;
  g.batch = 3;
  g.in_channels = inputs;
  g.out_channels = outputs;
  g.input = {9, 11};
  g.kernel = kernel;
  g.stride = stride;
  g.padding = kernel / 2;
  g.dilation = dilation;
  const int64_t reach = dilation * (kernel - 1) + 1 - 2 * (kernel / 2);
  g.output = {(g.input.h - reach) / stride + 1, (g.input.w - reach) / stride + 1};
  return g;
}

TEST_CASE_TEMPLATE("weight gradients of few channels equal the definition", T, float, double) {
  RandomStream random(5, 1);
  for (const int64_t inputs : {1, 2, 3, 5}) {
    for (const int64_t outputs : {1, 7, 16, 33, 80}) {
      // Kernel, stride, dilation.
      for (const std::array<int64_t, 3>& form :
           {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {1, 2, 1}, {7, 2, 1}}) {
        const ConvGeometry g = geometry(inputs, outputs, form[0], form[1], form[2]);
        const auto x = random_values<T>(g.in_pixels() * inputs, random);
        const auto dy = random_values<T>(g.out_pixels() * outputs, random);
        std::vector<T> dw(static_cast<size_t>(outputs * g.taps() * inputs),
                          std::numeric_limits<T>::quiet_NaN());
        kernels::direct_weight_gradient(g, x.data(), dy.data(), dw.data());
        const std::vector<double> want = definition(g, x, dy);
        double worst = 0.0;
        for (size_t i = 0; i < dw.size(); ++i) {
          const double difference = std::abs(static_cast<double>(dw[i]) - want[i]);
          worst = difference <= worst ? worst : std::isnan(difference) ? 1e30 : difference;
        }
        CAPTURE(inputs);
        CAPTURE(outputs);
        CAPTURE(form[0]);
        CAPTURE(form[2]);
        CHECK(worst <= 400.0 * static_cast<double>(std::numeric_limits<T>::epsilon()));
      }
    }
  }
}

TEST_CASE("weight gradients of few channels have the same bits for any number of threads") {
  RandomStream random(5, 2);
  ConvGeometry g = geometry(3, 16, 3, 1, 1);
  g.batch = 64;
  const auto x = random_values<float>(g.in_pixels() * 3, random);
  const auto dy = random_values<float>(g.out_pixels() * 16, random);
  const int threads = num_threads();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 2, 3}) {
    set_num_threads(count);
    results.emplace_back(16 * 27);
    kernels::direct_weight_gradient(g, x.data(), dy.data(), results.back().data());
  }
  set_num_threads(threads);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

}  // namespace
}  // namespace diagrad
