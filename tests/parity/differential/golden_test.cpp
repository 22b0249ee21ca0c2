// The first cases of each operation against the results that PyTorch gave for them
// (golden/differential.safetensors), by the rules of compare.py. What known.py lists is not in the
// file.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "diagrad/nn/safetensors.h"
#include "tests/parity/differential/operation.h"
#include "tests/support/declared_operations.h"
#include "tests/support/pattern.h"

namespace diagrad::parity {
namespace {

constexpr int64_t kGoldenCases = 3;
constexpr double kF64Tolerance = 1e-12;
constexpr const char* kWriteAgain =
    "write the golden file again: tests/parity/README.md, \"Differential tests\"";

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(std::string(DIAGRAD_SOURCE_DIR "/") + path).rdbuf();
  return text.str();
}

double largest_finite(const Tensor& x) {
  double result = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double size = std::abs(x.data<double>()[i]);
    if (std::isfinite(size)) result = std::max(result, size);
  }
  return result;
}

bool agrees(double ours, double theirs, double allowed) {
  if (std::isnan(theirs)) return std::isnan(ours);
  return ours == theirs || std::abs(ours - theirs) <= allowed;
}

/// What differs between a result and PyTorch's, contiguous and in f64; empty when nothing does.
std::string difference(const Tensor& result, const Tensor& theirs, double allowed) {
  const Tensor ours = result.to(DType::f64);
  if (ours.shape() != theirs.shape()) {
    return fmt::format("shape {}, PyTorch's is {}", ours.shape(), theirs.shape());
  }
  for (int64_t i = 0; i < ours.numel(); ++i) {
    const double a = ours.data<double>()[i];
    const double b = theirs.data<double>()[i];
    if (agrees(a, b, allowed)) continue;
    return fmt::format("element {}: {:.17g}, PyTorch has {:.17g}, allowed {:.2g}", i, a, b,
                       allowed);
  }
  return {};
}

/// The distance of neighbouring f32 numbers at `value`.
double ulp(double value) {
  return value > 0.0 ? std::ldexp(1.0, std::ilogb(value) - 23) : 0.0;
}

TEST_CASE("differential: operations agree with the stored results of PyTorch") {
  const nn::SafetensorsReader file(DIAGRAD_SOURCE_DIR
                                   "/tests/parity/golden/differential.safetensors");
  const nn::TensorMap golden = file.read_all();
  const auto errors = nlohmann::json::parse(file.metadata().at("f32_errors"));
  const auto checksums = nlohmann::json::parse(file.metadata().at("checksums"));
  const uint64_t seed = std::stoull(file.metadata().at("seed"));
  size_t compared = 0;
  int64_t not_stored = 0;
  for (const Operation& operation : operations()) {
    for (int64_t number = 0; number < kGoldenCases; ++number) {
      const Case test = make_case(operation, seed, number);
      const std::string name = test.name();
      CAPTURE(name);
      if (!checksums.contains(name)) {
        ++not_stored;
        continue;
      }
      REQUIRE_MESSAGE(checksums[name] == checksum_of_inputs(test), kWriteAgain);
      for (const DType dtype : {DType::f64, DType::f32}) {
        const Results results = evaluate(test, seed, dtype);
        const auto dy = results.find("cotangent/0");
        for (const auto& [key, result] : results) {
          const std::string full = fmt::format("{}/{}", name, key);
          const auto found = golden.find(full);
          const bool single = dtype == DType::f32;
          if (found == golden.end() || (single && !errors.contains(full))) continue;
          double peak = largest_finite(found->second);
          // Where all is 0 but for rounding, the gradient dy gives the size.
          const double size_of_dy =
              dy == results.end() ? 0.0 : largest_finite(dy->second.to(DType::f64));
          if (peak < kF64Tolerance * size_of_dy) peak = size_of_dy;
          const double allowed =
              single ? 4.0 * (errors[full].get<double>() + ulp(peak)) : kF64Tolerance * peak;
          const std::string wrong = difference(result, found->second, allowed);
          CHECK_MESSAGE(wrong.empty(), full << " in " << diagrad::name(dtype) << ": " << wrong);
          ++compared;
        }
      }
    }
  }
  CHECK(compared > golden.size());  // in f64 all, in f32 most
  MESSAGE(compared << " results compared, " << not_stored << " cases not stored");
}

TEST_CASE("differential: every operation is in the table, and every row of it has a reference") {
  std::set<std::string> covered;
  const std::string reference = text_of("tests/parity/differential/reference.py");
  for (const Operation& operation : operations()) {
    covered.insert(operation.functions.begin(), operation.functions.end());
    covered.insert(operation.name);
    CHECK_MESSAGE(reference.find("    \"" + operation.name + "\": ") != std::string::npos,
                  operation.name << " is not in REFERENCES of reference.py");
  }
  for (const auto& operation : testing::declared_operations()) {
    const auto& name = operation.first;
    const auto& header = operation.second;
    CHECK_MESSAGE(covered.count(name) == 1,
                  name << " of ops/" << header << " is in no file of tests/parity/differential");
  }
  const std::string in_place = text_of("ops/inplace.h");
  for (const auto& match : testing::all_matches(in_place, "\nvoid ([a-z]+_)\\(")) {
    CHECK_MESSAGE(covered.count(match.at(1)) == 1, match.at(1));
  }
}

TEST_CASE("differential: the comparison sees values, NaN and infinities that differ") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(agrees(1.0, 1.0 + 1e-13, 1e-12));
  CHECK_FALSE(agrees(1.0, 1.0 + 1e-11, 1e-12));
  CHECK(agrees(nan, nan, 0.0));
  CHECK_FALSE(agrees(nan, 1.0, 1e9));
  CHECK_FALSE(agrees(1.0, nan, 1e9));
  CHECK(agrees(-infinity, -infinity, 0.0));
  CHECK_FALSE(agrees(infinity, -infinity, 1e9));
  CHECK_FALSE(agrees(infinity, 1.0, 1e9));
}

TEST_CASE("differential: a case is the same whatever was drawn before, in every layout") {
  int64_t strided = 0;
  int64_t special = 0;
  for (const Operation& operation : operations()) {
    const Case once = make_case(operation, 1, 1);
    CHECK_MESSAGE(checksum_of_inputs(make_case(operation, 1, 1)) == checksum_of_inputs(once),
                  operation.name);
    for (const Input& input : once.body.inputs) {
      if (!input.values.defined() || !is_floating(input.values.dtype())) continue;
      const Tensor view = laid_out(input, DType::f64);
      CHECK(difference(view.contiguous(), input.values, 0.0).empty());
      strided += view.is_contiguous() ? 0 : 1;
      for (int64_t i = 0; i < input.values.numel(); ++i) {
        special += std::isfinite(input.values.data<double>()[i]) ? 0 : 1;
      }
    }
  }
  CHECK(strided > 30);
  CHECK(special > 50);
}

}  // namespace
}  // namespace diagrad::parity
