#include "diagrad/ops/cpu/conv/winograd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/core/math_mode.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/core/vector.h"

namespace diagrad {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kEpsilon = static_cast<double>(std::numeric_limits<float>::epsilon());
constexpr float kMark = 77.0F;
constexpr int64_t kGuard = 64;
ConvGeometry geometry(int64_t batch, const Size2& input, int64_t inputs, int64_t outputs,
                      const Size2& padding) {
  ConvGeometry g;
  g.batch = batch;
  g.in_channels = inputs;
  g.out_channels = outputs;
  g.input = input;
  g.output = {input.h + 2 * padding.h - 2, input.w + 2 * padding.w - 2};
  g.kernel = 3;
  g.padding = padding;
  return g;
}

ConvGeometry grouped(ConvGeometry g, int64_t groups) {
  g.groups = groups;
  return g;
}

/// Values between guards that must not be read into a result (NaN) or written (a mark).
struct Guarded {
  Guarded(int64_t size, float filler)
      : count(size), all(static_cast<size_t>(size + 2 * kGuard), filler) {}
  float* data() { return all.data() + kGuard; }
  bool intact() const {
    const auto marked = [](float value) { return value == kMark; };
    return std::all_of(all.begin(), all.begin() + kGuard, marked) &&
           std::all_of(all.end() - kGuard, all.end(), marked);
  }

  int64_t count;
  std::vector<float> all;
};

enum class Kind { normal, rectified, equal, sparse };

float random_value(Kind kind, RandomStream& random) {
  const auto value = static_cast<float>(random.normal());
  if (kind == Kind::rectified) return std::max(value, 0.0F);
  if (kind == Kind::equal) return value < 0.0F ? -1.1F : 1.1F;
  if (kind == Kind::sparse) return random.normal() > 1.0 ? value : 0.0F;
  return value;
}

Guarded random_values(int64_t count, RandomStream& random, Kind kind = Kind::normal) {
  Guarded values(count, kNan);
  for (int64_t i = 0; i < count; ++i) values.data()[i] = random_value(kind, random);
  return values;
}

/// Calls visit(output pixel, input pixel, tap) for every pair that a tap connects.
template <typename Visit>
void for_each_tap(const ConvGeometry& g, const Visit& visit) {
  for (int64_t pixel = 0; pixel < g.out_pixels(); ++pixel) {
    const int64_t image = pixel / (g.output.h * g.output.w);
    for (int64_t tap = 0; tap < 9; ++tap) {
      const int64_t row = pixel / g.output.w % g.output.h + tap / 3 - g.padding.h;
      const int64_t column = pixel % g.output.w + tap % 3 - g.padding.w;
      if (row < 0 || row >= g.input.h || column < 0 || column >= g.input.w) continue;
      visit(pixel, (image * g.input.h + row) * g.input.w + column, tap);
    }
  }
}

/// The largest error over epsilon * bound; infinite for NaN or a touched guard.
double error(Guarded& got, const std::vector<double>& want, const std::vector<double>& bound) {
  if (!got.intact()) return HUGE_VAL;
  double largest = 0.0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got.data()[i]) - want[i]);
    if (difference == 0.0) continue;
    const double ratio = difference / (kEpsilon * bound[i]);
    largest = ratio <= largest ? largest : std::isnan(ratio) ? HUGE_VAL : ratio;
  }
  return largest;
}

/// Calls visit(result pixel, source pixel) for the pixels of 6x6 that the tile of each result pixel
/// reads.
template <typename Visit>
void for_each_tile_pixel(int64_t batch, const Size2& result, const Size2& source,
                         const Size2& origin, const Visit& visit) {
  for (int64_t pixel = 0; pixel < batch * result.h * result.w; ++pixel) {
    const int64_t image = pixel / (result.h * result.w);
    const int64_t row = pixel / result.w % result.h / 4 * 4 + origin.h;
    const int64_t column = pixel % result.w / 4 * 4 + origin.w;
    for (int64_t h = std::max<int64_t>(row, 0); h < std::min(row + 6, source.h); ++h) {
      for (int64_t w = std::max<int64_t>(column, 0); w < std::min(column + 6, source.w); ++w) {
        visit(pixel, (image * source.h + h) * source.w + w);
      }
    }
  }
}

/// What the inputs are like.
struct Inputs {
  Kind images = Kind::normal;
  Kind weights = Kind::normal;
  float spike = 0.0F;  ///< if not 0: the value of one pixel's channel in x and in dy
};

/// Inputs of the three products, their results by Winograd and by the definition, and for each
/// result what the bound of winograd.h is a multiple of.
struct Products {
  Products(const ConvGeometry& geometry_, RandomStream& random, const Inputs& inputs = {})
      : g(geometry_),
        x(random_values(g.in_pixels() * g.in_channels, random, inputs.images)),
        w(random_values(g.out_channels * 9 * g.group_inputs(), random, inputs.weights)),
        bias(random_values(g.out_channels, random)),
        dy(random_values(g.out_pixels() * g.out_channels, random, inputs.images)),
        y(dy.count, kMark),
        dx(x.count, kMark),
        dw(w.count, kMark) {
    for (Guarded* images : {&x, &dy}) {
      if (inputs.spike == 0.0F || images->count == 0) continue;
      images->data()[random.below(images->count)] = inputs.spike;
    }
  }

  void run() {
    for (Guarded* result : {&y, &dx, &dw}) {
      std::fill(result->data(), result->data() + result->count, kNan);
    }
    kernels::winograd_convolve(g, x.data(), w.data(), bias.data(), y.data());
    kernels::winograd_input_gradient(g, dy.data(), w.data(), dx.data());
    kernels::winograd_weight_gradient(g, x.data(), dy.data(), dw.data());
  }

  void reference() {
    want_y.assign(static_cast<size_t>(y.count), 0.0);
    want_dx.assign(static_cast<size_t>(dx.count), 0.0);
    want_dw.assign(static_cast<size_t>(dw.count), 0.0);
    for (int64_t i = 0; i < y.count; ++i) {
      want_y[static_cast<size_t>(i)] = static_cast<double>(bias.data()[i % g.out_channels]);
    }
    for_each_tap(g, [&](int64_t out, int64_t in, int64_t tap) {
      for (int64_t o = 0; o < g.out_channels; ++o) {
        const auto at_y = static_cast<size_t>(out * g.out_channels + o);
        const auto dy_value = static_cast<double>(dy.data()[at_y]);
        const int64_t first = o / g.group_outputs() * g.group_inputs();
        for (int64_t c = 0; c < g.group_inputs(); ++c) {
          const auto at_x = static_cast<size_t>(in * g.in_channels + first + c);
          const auto at_w = static_cast<size_t>((o * 9 + tap) * g.group_inputs() + c);
          const auto x_value = static_cast<double>(x.data()[at_x]);
          const auto w_value = static_cast<double>(w.data()[at_w]);
          want_y[at_y] += x_value * w_value;
          want_dx[at_x] += dy_value * w_value;
          want_dw[at_w] += dy_value * x_value;
        }
      }
    });
  }

  /// max|x| of the tile * sum|w| + |bias|; max|dy| of the tile * sum|w|; and the sum over tiles of
  /// max|x| * sum|dy|.
  void bounds() {
    const int64_t in = g.group_inputs();
    const int64_t out = g.group_outputs();
    std::vector<double> sum_of_output(static_cast<size_t>(g.out_channels));
    std::vector<double> sum_of_input(static_cast<size_t>(g.in_channels));
    for (int64_t i = 0; i < w.count; ++i) {
      const int64_t o = i / (9 * in);
      const double size = std::abs(static_cast<double>(w.data()[i]));
      sum_of_output[static_cast<size_t>(o)] += size;
      sum_of_input[static_cast<size_t>(o / out * in + i % in)] += size;
    }
    const auto largest = [](const Guarded& images, int64_t pixel, int64_t channels, int64_t first,
                            int64_t count) {
      double value = 0.0;
      const float* const from = images.all.data() + kGuard + pixel * channels + first;
      for (int64_t c = 0; c < count; ++c) {
        value = std::max(value, std::abs(static_cast<double>(from[c])));
      }
      return value;
    };
    const auto grow = [](double& bound, double value) { bound = std::max(bound, value); };
    bound_y.assign(static_cast<size_t>(y.count), 0.0);
    bound_dx.assign(static_cast<size_t>(dx.count), 0.0);
    bound_dw.assign(static_cast<size_t>(dw.count), 0.0);
    std::vector<double> tile_x(static_cast<size_t>(g.out_pixels() * g.in_channels));
    for_each_tile_pixel(g.batch, g.output, g.input, {-g.padding.h, -g.padding.w},
                        [&](int64_t to, int64_t from) {
                          for (int64_t c = 0; c < g.in_channels; ++c) {
                            grow(tile_x[static_cast<size_t>(to * g.in_channels + c)],
                                 largest(x, from, g.in_channels, c, 1));
                          }
                        });
    for (int64_t i = 0; i < y.count; ++i) {
      const int64_t o = i % g.out_channels;
      double size = 0.0;
      for (int64_t c = 0; c < in; ++c) {
        grow(size,
             tile_x[static_cast<size_t>(i / g.out_channels * g.in_channels + o / out * in + c)]);
        // Each result pixel adds its part of its tile's max|x| * sum|dy|.
        for (int64_t tap = 0; tap < 9; ++tap) {
          bound_dw[static_cast<size_t>((o * 9 + tap) * in + c)] +=
              std::abs(static_cast<double>(dy.data()[i])) *
              tile_x[static_cast<size_t>(i / g.out_channels * g.in_channels + o / out * in + c)];
        }
      }
      bound_y[static_cast<size_t>(i)] = size * sum_of_output[static_cast<size_t>(o)] +
                                        std::abs(static_cast<double>(bias.data()[o]));
    }
    for_each_tile_pixel(g.batch, g.input, g.output, {g.padding.h - 2, g.padding.w - 2},
                        [&](int64_t to, int64_t from) {
                          for (int64_t c = 0; c < g.in_channels; ++c) {
                            grow(bound_dx[static_cast<size_t>(to * g.in_channels + c)],
                                 largest(dy, from, g.out_channels, c / in * out, out) *
                                     sum_of_input[static_cast<size_t>(c)]);
                          }
                        });
  }

  ConvGeometry g;
  Guarded x, w, bias, dy, y, dx, dw;
  std::vector<double> want_y, want_dx, want_dw;
  std::vector<double> bound_y, bound_dx, bound_dw;
};

void check_bound(const ConvGeometry& g, RandomStream& random, const Inputs& inputs = {}) {
  INFO("batch " << g.batch << ", input " << g.input.h << "x" << g.input.w << ", channels "
                << g.in_channels << " -> " << g.out_channels << ", groups " << g.groups
                << ", padding " << g.padding.h << "," << g.padding.w << ", images "
                << static_cast<int>(inputs.images) << ", weights "
                << static_cast<int>(inputs.weights) << ", spike " << inputs.spike);
  Products products(g, random, inputs);
  products.run();
  products.reference();
  products.bounds();
  CHECK(error(products.y, products.want_y, products.bound_y) <= kernels::kWinogradError);
  CHECK(error(products.dx, products.want_dx, products.bound_dx) <= kernels::kWinogradError);
  CHECK(error(products.dw, products.want_dw, products.bound_dw) <= kernels::kWinogradError);
}

void check_against_definition(const ConvGeometry& g, const Inputs& inputs = {}) {
  RandomStream random(11, stream_id("winograd"));
  check_bound(g, random, inputs);
}

TEST_CASE("winograd: every image size from 1 to 9, padding 0 to 3") {
  for (int64_t height = 1; height <= 9; ++height) {
    for (const int64_t width : {1, 2, 3, 5, 8, 9}) {
      for (int64_t padding = 0; padding <= 3; ++padding) {
        if (std::min(height, width) + 2 * padding < 3) continue;
        check_against_definition(geometry(2, {height, width}, 3, 5, padding));
      }
    }
  }
  check_against_definition(geometry(1, {7, 6}, 4, 3, {0, 2}));
  check_against_definition(geometry(1, {5, 9}, 4, 3, {2, 1}));
}

TEST_CASE("winograd: any channel counts, whole vectors or not, one panel or several") {
  for (const int64_t inputs : {1, 3, 5, 16, 17, 33, 64}) {
    for (const int64_t outputs : {1, 5, 16, 17, 40, 64, 100}) {
      check_against_definition(geometry(1, {7, 5}, inputs, outputs, 1));
    }
  }
}

TEST_CASE("winograd: groups alone, groups that fill a vector together, groups of unequal sides") {
  // Groups, inputs of each, outputs of each.
  constexpr int64_t kShapes[][3] = {{2, 16, 16}, {3, 24, 40}, {2, 17, 64}, {8, 8, 8},
                                    {8, 4, 4},   {6, 3, 5},   {4, 1, 3},   {5, 2, 2},
                                    {32, 1, 2},  {7, 4, 20},  {2, 100, 8}};
  for (const auto& [groups, inputs, outputs] : kShapes) {
    for (const int64_t size : {5, 8}) {
      const ConvGeometry g = geometry(2, {size, size + 2}, groups * inputs, groups * outputs, 1);
      check_against_definition(grouped(g, groups));
    }
  }
}

TEST_CASE("winograd: the error is within the bound, also beside pixels of 1e4 and 1e6") {
  RandomStream random(16, stream_id("winograd"));
  for (const float spike : {0.0F, 1e4F, 1e6F}) {
    for (const Kind images : {Kind::normal, Kind::rectified, Kind::equal, Kind::sparse}) {
      for (const Kind weights : {Kind::normal, Kind::equal, Kind::sparse}) {
        const Inputs inputs{images, weights, spike};
        for (int repeat = 0; repeat < 20; ++repeat) {
          check_bound(geometry(1, {7, 6}, 1, 1, 1), random, inputs);
          check_bound(geometry(1, {8, 5}, 3, 5, 1), random, inputs);
        }
        check_bound(geometry(2, 16, 16, 16, 1), random, inputs);
        check_bound(grouped(geometry(2, 8, 32, 32, 1), 4), random, inputs);
      }
    }
    check_bound(geometry(4, 32, 16, 16, 1), random, {.spike = spike});
    check_bound(geometry(2, 8, 256, 256, 1), random, {.spike = spike});
  }
}

TEST_CASE("winograd: an input gradient can be added to another") {
  RandomStream random(14, stream_id("winograd"));
  for (const ConvGeometry& g : {geometry(2, {9, 6}, 5, 16, 1), geometry(1, 8, 48, 40, 0),
                                grouped(geometry(2, {9, 6}, 12, 24, 1), 3)}) {
    Products products(g, random);
    products.run();
    const std::vector<float> alone = products.dx.all;
    kernels::winograd_input_gradient(g, products.dy.data(), products.w.data(), products.dx.data(),
                                     true);
    const float* const once = alone.data() + (products.dx.data() - products.dx.all.data());
    for (int64_t i = 0; i < products.dx.count; ++i) {
      REQUIRE(products.dx.data()[i] == 2.0F * once[i]);
    }
  }
}

TEST_CASE("winograd: empty batches and no channels") {
  for (const ConvGeometry& g :
       {geometry(0, 5, 3, 4, 1), geometry(2, 5, 0, 4, 1), geometry(2, 5, 3, 0, 1)}) {
    check_against_definition(g);
  }
}

TEST_CASE("winograd: the same bits for any number of threads") {
  const int before = num_threads();
  RandomStream random(12, stream_id("winograd"));
  for (const ConvGeometry& g : {geometry(9, {17, 16}, 24, 40, 1), geometry(5, 8, 128, 64, 1),
                                grouped(geometry(5, 16, 48, 48, 1), 6)}) {
    Products products(g, random);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      products.run();
      for (const Guarded* result : {&products.y, &products.dx, &products.dw}) {
        results.push_back(result->all);
      }
    }
    for (size_t i = 3; i < results.size(); ++i) CHECK(results[i] == results[i % 3]);
  }
  set_num_threads(before);
}

/// The products in exact mode; dx is added to `dx_before` where that is not empty.
struct ExactProducts {
  ExactProducts(Products& from, std::vector<float> dx_before)
      : y(static_cast<size_t>(from.y.count)),
        dx(std::move(dx_before)),
        dw(static_cast<size_t>(from.dw.count)) {
    const MathModeScope scope(MathMode::exact);
    const bool accumulate = !dx.empty();
    dx.resize(static_cast<size_t>(from.dx.count));
    kernels::convolve(from.g, from.x.data(), from.w.data(), from.bias.data(), y.data());
    kernels::convolve_input_gradient(from.g, from.dy.data(), from.w.data(), dx.data(), accumulate);
    kernels::convolve_weight_gradient(from.g, from.x.data(), from.dy.data(), dw.data());
  }
  std::vector<float> y, dx, dw;
};

bool same_bits(const float* a, const float* b, int64_t count) {
  return std::memcmp(a, b, static_cast<size_t>(count) * sizeof(float)) == 0;
}

/// Whether results whose tile reads a value that is not finite have the bits of exact mode and all
/// others are finite; there must be some of both.
bool bad_tiles_are_exact(const ConvGeometry& g, bool forward, const Guarded& source,
                         const Guarded& got, const std::vector<float>& exact) {
  const Size2 result = forward ? g.output : g.input;
  const Size2 from = forward ? g.input : g.output;
  const Size2 origin =
      forward ? Size2(-g.padding.h, -g.padding.w) : Size2(g.padding.h - 2, g.padding.w - 2);
  const int64_t channels = forward ? g.out_channels : g.in_channels;
  const int64_t source_channels = forward ? g.in_channels : g.out_channels;
  std::vector<bool> bad(static_cast<size_t>(got.count));
  for_each_tile_pixel(g.batch, result, from, origin, [&](int64_t to, int64_t at) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t own = source_channels / g.groups;
      const float* const pixel =
          source.all.data() + kGuard + at * source_channels + c / (channels / g.groups) * own;
      for (int64_t k = 0; k < own; ++k) {
        if (!std::isfinite(pixel[k])) bad[static_cast<size_t>(to * channels + c)] = true;
      }
    }
  });
  bool right = true;
  int64_t count = 0;
  for (int64_t i = 0; i < got.count; ++i) {
    const float value = got.all[static_cast<size_t>(kGuard + i)];
    if (bad[static_cast<size_t>(i)]) {
      ++count;
      right = right && same_bits(&value, &exact[static_cast<size_t>(i)], 1);
    } else {
      right = right && std::isfinite(value);
    }
  }
  return right && count > 0 && count < got.count;
}

TEST_CASE("winograd: tiles that read a value that is not finite have the bits of exact mode") {
  RandomStream random(13, stream_id("winograd"));
  for (const ConvGeometry& g :
       {geometry(3, 16, 4, 4, 1), geometry(2, {17, 9}, 24, 40, 0), geometry(4, 12, 128, 64, 1),
        geometry(2, {13, 14}, 3, 5, 2), grouped(geometry(3, 16, 48, 48, 1), 3),
        grouped(geometry(3, 16, 64, 64, 1), 2), grouped(geometry(2, 16, 16, 16, 1), 4)}) {
    INFO("channels " << g.in_channels << " -> " << g.out_channels << ", groups " << g.groups);
    for (const float bad : {kNan, kInf, -kInf}) {
      Products products(g, random);
      products.x.data()[random.below(products.x.count)] = bad;
      products.dy.data()[random.below(products.dy.count)] = bad;
      const std::vector<float> before(static_cast<size_t>(products.dx.count), 0.5F);
      const ExactProducts exact(products, {});
      const ExactProducts added(products, before);
      products.run();
      CHECK(bad_tiles_are_exact(g, true, products.x, products.y, exact.y));
      CHECK(bad_tiles_are_exact(g, false, products.dy, products.dx, exact.dx));
      CHECK(same_bits(products.dw.data(), exact.dw.data(), products.dw.count));
      std::copy(before.begin(), before.end(), products.dx.data());
      kernels::winograd_input_gradient(g, products.dy.data(), products.w.data(), products.dx.data(),
                                       true);
      CHECK(bad_tiles_are_exact(g, false, products.dy, products.dx, added.dx));
    }
  }
}

TEST_CASE("winograd: an infinite pixel makes as many results infinite as see it") {
  RandomStream random(13, stream_id("winograd"));
  Products products(geometry(1, 16, 16, 16, 1), random);
  products.x.data()[(9 * 16 + 6) * 16 + 2] = kInf;
  products.run();
  int64_t count = 0;
  for (int64_t i = 0; i < products.y.count; ++i) count += !std::isfinite(products.y.data()[i]);
  CHECK(count == 9 * 16);
}

TEST_CASE("winograd is chosen where it gains") {
  const auto chosen = [](const ConvGeometry& g) {
    return kernels::should_use_winograd(g) && kernels::winograd_input_gradient_gains(g) &&
           kernels::winograd_weight_gradient_gains(g);
  };
  CHECK(chosen(geometry(128, 32, 16, 16, 1)));
  CHECK(chosen(geometry(128, 8, 64, 64, 1)));
  CHECK(chosen(geometry(64, 7, 64, 64, 1)));
  CHECK(chosen(geometry(32, 16, 24, 24, 1)));
  CHECK(chosen(grouped(geometry(64, 32, 256, 256, 1), 8)));
  CHECK(chosen(grouped(geometry(64, 32, 128, 128, 1), 8)));
  // Together where they do not fill a vector.
  CHECK(chosen(grouped(geometry(64, 32, 64, 64, 1), 8)) == (kLanes<float> > 8));
  // Few channels, partial tiles, and a transform of weights for one tile take more than is gained.
  CHECK_FALSE(kernels::should_use_winograd(geometry(128, 32, 3, 16, 1)));
  CHECK_FALSE(kernels::should_use_winograd(geometry(64, 5, 32, 32, 1)));
  CHECK_FALSE(kernels::should_use_winograd(geometry(1, 4, 256, 256, 1)));
  ConvGeometry strided = geometry(128, 32, 64, 64, 1);
  strided.stride = 2;
  strided.output = 16;
  for (const ConvGeometry& g : {strided, grouped(geometry(128, 32, 64, 64, 1), 64)}) {
    CHECK_FALSE(kernels::should_use_winograd(g));
    CHECK_FALSE(kernels::winograd_input_gradient_gains(g));
    CHECK_FALSE(kernels::winograd_weight_gradient_gains(g));
  }
}

TEST_CASE("winograd serves f32 in fast mode only") {
  RandomStream random(14, stream_id("winograd"));
  const ConvGeometry g = geometry(2, 16, 32, 32, 1);
  REQUIRE(kernels::should_use_winograd(g));
  Products products(g, random);
  products.run();
  const std::vector<float> winograd = products.y.all;
  const auto convolve = [&](MathMode mode) {
    const MathModeScope scope(mode);
    kernels::convolve(g, products.x.data(), products.w.data(), products.bias.data(),
                      products.y.data());
    return products.y.all;
  };
  CHECK(convolve(MathMode::fast) == winograd);
  CHECK(convolve(MathMode::exact) != winograd);
}

}  // namespace
}  // namespace diagrad
