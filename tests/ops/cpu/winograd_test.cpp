#include "diagrad/ops/cpu/conv/winograd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "diagrad/core/math_mode.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/core/vector.h"

namespace diagrad {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kMark = 77.0F;
constexpr int64_t kGuard = 64;
/// Of the result's RMS: the promise of winograd.h.
constexpr double kPromise = 1e-5;

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

Guarded random_values(int64_t count, RandomStream& random, bool rectified = false) {
  Guarded values(count, kNan);
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(random.normal());
    values.data()[i] = rectified ? std::max(value, 0.0F) : value;
  }
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

/// The largest difference over the RMS of `want`; infinite for NaN or a touched guard.
double error(Guarded& got, const std::vector<double>& want) {
  double squares = 0.0;
  double largest = got.intact() ? 0.0 : HUGE_VAL;
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got.data()[i]) - want[i]);
    largest = difference <= largest ? largest : std::isnan(difference) ? HUGE_VAL : difference;
    squares += want[i] * want[i];
  }
  if (largest == 0.0) return 0.0;
  return largest / std::sqrt(squares / static_cast<double>(want.size()));
}

/// Inputs of the three products, their results by Winograd and by the definition.
struct Products {
  Products(const ConvGeometry& geometry_, RandomStream& random, bool rectified = false)
      : g(geometry_),
        x(random_values(g.in_pixels() * g.in_channels, random, rectified)),
        w(random_values(g.out_channels * 9 * g.group_inputs(), random)),
        bias(random_values(g.out_channels, random)),
        dy(random_values(g.out_pixels() * g.out_channels, random)),
        y(dy.count, kMark),
        dx(x.count, kMark),
        dw(w.count, kMark) {}

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

  ConvGeometry g;
  Guarded x, w, bias, dy, y, dx, dw;
  std::vector<double> want_y, want_dx, want_dw;
};

void check_against_definition(const ConvGeometry& g, bool rectified = false) {
  INFO("batch " << g.batch << ", input " << g.input.h << "x" << g.input.w << ", channels "
                << g.in_channels << " -> " << g.out_channels << ", groups " << g.groups
                << ", padding " << g.padding.h << "," << g.padding.w << ", rectified "
                << rectified);
  RandomStream random(11, stream_id("winograd"));
  Products products(g, random, rectified);
  products.run();
  products.reference();
  CHECK(error(products.y, products.want_y) < kPromise);
  CHECK(error(products.dx, products.want_dx) < kPromise);
  CHECK(error(products.dw, products.want_dw) < kPromise);
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

TEST_CASE("winograd: the error keeps its promise on normal and on rectified values") {
  for (const bool rectified : {false, true}) {
    check_against_definition(geometry(4, 32, 16, 16, 1), rectified);
    check_against_definition(geometry(4, 16, 32, 32, 1), rectified);
    check_against_definition(geometry(4, 8, 64, 64, 1), rectified);
    check_against_definition(geometry(2, 8, 256, 256, 1), rectified);
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

TEST_CASE("winograd: a value that is not finite stays within the tiles that see it") {
  RandomStream random(13, stream_id("winograd"));
  const ConvGeometry g = geometry(2, 16, 4, 4, 1);
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    Products products(g, random);
    // Pixel (9, 6) of image 1 is in its neighbours' windows: rows 8..10 and columns 5..7, all of
    // the tile of rows 8..11 and columns 4..7. No tile beside it reads the pixel.
    products.x.data()[((16 + 9) * 16 + 6) * 4 + 2] = bad;
    products.run();
    for (int64_t i = 0; i < products.y.count; ++i) {
      const int64_t pixel = i / 4;
      const bool in_tile = pixel / 256 == 1 && pixel / 16 % 16 / 4 == 2 && pixel % 16 / 4 == 1;
      const bool in_window = in_tile && pixel / 16 % 16 <= 10 && pixel % 16 >= 5;
      const bool finite = std::isfinite(products.y.data()[i]);
      if (in_window) CHECK_FALSE(finite);
      if (!in_tile) CHECK(finite);
    }
  }
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
