// The error of every function of core/float_math.h over all 2^32 floats, against the C library in
// double precision. Not part of the suite; see tests/README.md.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"

namespace diagrad {
namespace {

/// The exact result, for arguments where a short formula has it to double precision too: most
/// floats are so small or so large.
double exact_exp(double x) {
  return std::abs(x) < 1e-9 ? 1.0 + x : x < -110.0 ? 0.0 : x > 90.0 ? HUGE_VAL : std::exp(x);
}
double exact_log(double x) {
  return x < 0.0 ? std::numeric_limits<double>::quiet_NaN() : std::log(x);
}
double exact_sigmoid(double x) {
  return std::abs(x) < 1e-9 ? 0.5 + 0.25 * x
         : x < -110.0       ? 0.0
         : x > 40.0         ? 1.0
                            : 1.0 / (1.0 + std::exp(-x));
}
double exact_tanh(double x) {
  return std::abs(x) < 1e-5 ? x * (1.0 - x * x / 3.0)
         : std::abs(x) > 20 ? std::copysign(1.0, x)
                            : std::tanh(x);
}
/// Of |x|: the results are in [0.5, 1], where a unit of the last place is 2^-24.
double exact_normal_cdf(double x) {
  const double a = std::abs(x);
  return a < 1e-5  ? 0.5 + a * 0.3989422804014327
         : a > 9.0 ? 1.0
                   : 1.0 - 0.5 * std::erfc(a * M_SQRT1_2);
}

/// |value - exact| in units of the last place of the float below |exact|, subnormal ones included;
/// infinite where one is NaN, or where float and exact result overflow apart.
[[gnu::noinline]] double units(float value, double exact) {
  if (std::isnan(exact) || std::isnan(value)) {
    return std::isnan(exact) && std::isnan(value) ? 0.0 : HUGE_VAL;
  }
  constexpr double kOverflow = 0x1.ffffffp127;  // from here on the nearest float is infinity
  if (std::abs(exact) >= kOverflow || std::isinf(value)) {
    const double nearest = std::abs(exact) >= kOverflow ? std::copysign(HUGE_VAL, exact) : exact;
    return static_cast<double>(value) == nearest ? 0.0 : HUGE_VAL;
  }
  const auto exponent =
      static_cast<int64_t>(std::bit_cast<uint64_t>(exact) >> 52 & 0x7ff) - int64_t{1023};
  const int64_t place = std::max<int64_t>(exponent, -126) - 23;
  const auto inverse_unit = std::bit_cast<double>(static_cast<uint64_t>(1023 - place) << 52);
  return std::abs(static_cast<double>(value) - exact) * inverse_unit;
}

struct Worst {
  double error = -1.0;
  float at = 0.0F;
  int64_t wrong_sign = 0;
};

/// Among the floats with the bits first, ..., first + count - 1 whose result is not the nearest
/// one.
template <typename Function, typename Exact>
Worst worst_in(uint32_t first, uint32_t count, Function function, Exact exact) {
  Worst worst;
  float x[kLanes<float>];
  float y[kLanes<float>];
  for (uint32_t i = 0; i < count; i += kLanes<float>) {
    for (uint32_t lane = 0; lane < kLanes<float>; ++lane) {
      x[lane] = std::bit_cast<float>(first + i + lane);
    }
    store<float>(y, function(load<float>(x)));
    for (int lane = 0; lane < kLanes<float>; ++lane) {
      const double wanted = exact(static_cast<double>(x[lane]));
      const auto nearest = static_cast<float>(wanted);
      if (std::bit_cast<uint32_t>(nearest) == std::bit_cast<uint32_t>(y[lane])) continue;
      const double error = units(y[lane], wanted);
      if (error > worst.error) worst = {error, x[lane], worst.wrong_sign};
      if (!std::isnan(wanted) && std::signbit(wanted) != std::signbit(y[lane])) ++worst.wrong_sign;
    }
  }
  return worst;
}

/// True when no float is worse than `bound`.
template <typename Function, typename Exact>
bool check(const std::string& name, double bound, Function function, Exact exact) {
  const auto start = std::chrono::steady_clock::now();
  constexpr int64_t kPart = int64_t{1} << 20;
  std::vector<Worst> parts((int64_t{1} << 32) / kPart);
  parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      parts[static_cast<size_t>(part)] =
          worst_in(static_cast<uint32_t>(part * kPart), kPart, function, exact);
    }
  });
  Worst worst;
  for (const Worst& part : parts) {
    const int64_t wrong = worst.wrong_sign + part.wrong_sign;
    if (part.error > worst.error) worst = part;
    worst.wrong_sign = wrong;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const bool good = worst.error <= bound && worst.wrong_sign == 0;
  fmt::print("{:8} {:6.3f} units at {:<15} wrong signs {}  bound {:.2f} {:4} ({:.0f} s)\n", name,
             worst.error, worst.at, worst.wrong_sign, bound, good ? "ok" : "FAIL", seconds.count());
  return good;
}

}  // namespace
}  // namespace diagrad

int main() {
  using namespace diagrad;
  using V = Vec<float>;
  bool good = check(
      "exp", 0.90, [](V x) { return exp_of(x); }, exact_exp);
  good &= check(
      "log", 0.88, [](V x) { return log_of(x); }, exact_log);
  good &= check(
      "sigmoid", 1.39, [](V x) { return sigmoid_of(x); }, exact_sigmoid);
  good &= check(
      "tanh", 1.43, [](V x) { return tanh_of(x); }, exact_tanh);
  good &= check(
      "normal", 1.47, [](V x) { return normal_of(detail::magnitude(x)).cdf; }, exact_normal_cdf);
  return good ? 0 : 1;
}
