#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "diagrad/train/quality/frechet.h"
#include "tests/parity/formula.h"

namespace diagrad::parity {
namespace {

using doctest::Approx;
using nlohmann::json;
using train::frechet_distance;
using train::Moments;

/// The features of make_frechet.py.
Moments golden_moments(const json& one, const std::string& which, double scale) {
  const int64_t rows = one.at("rows_" + which);
  const int64_t width = one.at("width");
  const std::string name = "frechet-" + std::to_string(width) + "-" + which;
  Tensor features = Tensor::empty({rows, width}, DType::f64);
  auto* out = features.data<double>();
  for (int64_t i = 0; i < rows; ++i) {
    double before = 0.0;
    for (int64_t j = 0; j < width; ++j) {
      before = scale * hash_uniform(name, i * width + j) + 0.5 * before;
      *out++ = one.at("offset").get<double>() + before;
    }
  }
  Moments moments(width);
  moments.add(features);
  return moments;
}

TEST_CASE("Frechet distances are SciPy's") {
  std::ifstream stream(std::string(DIAGRAD_SOURCE_DIR) + "/tests/parity/golden/frechet.json");
  REQUIRE(stream.good());
  const json golden = json::parse(stream);
  CHECK(golden.at("cases").size() == 4);
  for (const json& one : golden.at("cases")) {
    CAPTURE(one.dump());
    const Moments a = golden_moments(one, "a", 1.0);
    const Moments b = golden_moments(one, "b", 0.75);
    // The mean of values near 1000 has an error of 1e-13, a variance near 1 one of 1e-12.
    CHECK(frechet_distance(a, b) == Approx(one.at("distance").get<double>()).epsilon(1e-9));
    CHECK(frechet_distance(a, b) == Approx(frechet_distance(b, a)).epsilon(1e-9));
  }
}

}  // namespace
}  // namespace diagrad::parity
