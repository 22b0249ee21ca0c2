#include "diagrad/core/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "diagrad/core/philox.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

void check_words(const Philox4& got, std::initializer_list<uint32_t> expected) {
  CHECK(std::equal(expected.begin(), expected.end(), got.word));
}

TEST_CASE("Philox4x32-10 gives the known answers of its authors' library") {
  check_words(philox4x32(0, 0, 0), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  check_words(philox4x32(~0ULL, ~0ULL, ~0ULL), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  check_words(philox4x32(0x299f31d0a4093822ULL, 0x0370734413198a2eULL, 0x85a308d3243f6a88ULL),
              {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform conversions cover [0, 1) and never reach 1") {
  CHECK(uniform_float(0) == 0.0F);
  CHECK(uniform_float(0xffffffffU) == 1.0F - 0x1p-24F);
  CHECK(uniform_double(0, 0) == 0.0);
  CHECK(uniform_double(0xffffffffU, 0xffffffffU) == 1.0 - 0x1p-53);
}

/// sum (count - expected)^2 / expected.
double chi_square(const std::vector<int64_t>& counts, double expected) {
  double sum = 0.0;
  for (const int64_t count : counts) {
    const double difference = static_cast<double>(count) - expected;
    sum += difference * difference / expected;
  }
  return sum;
}

TEST_CASE("uniform numbers fill their range evenly") {
  RandomStream random(1, stream_id("uniform"));
  std::vector<int64_t> counts(100);
  double sum = 0.0;
  constexpr int64_t kDraws = 200000;
  for (int64_t i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    if (!(u >= 0.0 && u < 1.0)) FAIL("uniform number " << u);
    sum += u;
    ++counts[static_cast<size_t>(u * 100.0)];
  }
  CHECK(std::abs(sum / kDraws - 0.5) < 5.0 * std::sqrt(1.0 / 12.0 / kDraws));
  const double statistic = chi_square(counts, kDraws / 100.0);
  CHECK(statistic < 160.0);  // 99 degrees of freedom: exceeded once in 10,000 seeds
  CHECK(statistic > 50.0);   // nor too even
}

TEST_CASE("normal numbers have the moments and tails of the normal distribution") {
  RandomStream random(2, stream_id("normal"));
  constexpr int64_t kDraws = 400000;
  const auto n = static_cast<double>(kDraws);
  double sum = 0.0;
  double squares = 0.0;
  double cubes = 0.0;
  double fourths = 0.0;
  double beyond[4] = {};  // |z| > 1, 2, 3, 4
  for (int64_t i = 0; i < kDraws; ++i) {
    const double z = random.normal();
    sum += z;
    squares += z * z;
    cubes += z * z * z;
    fourths += z * z * z * z;
    for (int k = 0; k < 4; ++k) beyond[k] += std::abs(z) > k + 1 ? 1.0 : 0.0;
  }
  // Within five standard errors.
  CHECK(std::abs(sum / n) < 5.0 * std::sqrt(1.0 / n));
  CHECK(std::abs(squares / n - 1.0) < 5.0 * std::sqrt(2.0 / n));
  CHECK(std::abs(cubes / n) < 5.0 * std::sqrt(15.0 / n));
  CHECK(std::abs(fourths / n - 3.0) < 5.0 * std::sqrt(96.0 / n));
  for (int k = 0; k < 4; ++k) {
    const double p = std::erfc((k + 1) / std::sqrt(2.0));
    CHECK(std::abs(beyond[k] - n * p) < 5.0 * std::sqrt(n * p));
  }
}

TEST_CASE("whole numbers below a bound are equally likely") {
  RandomStream random(3, stream_id("below"));
  std::vector<int64_t> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<size_t>(random.below(7))];
  CHECK(chi_square(counts, 10000.0) < 28.0);  // 6 degrees of freedom
  CHECK(random.below(1) == 0);
  CHECK(testing::error_message([&] { random.below(0); }) == "random: bound 0 is below 1");
}

TEST_CASE("a permutation of a negative number of things is refused") {
  RandomStream random(4, 1);
  CHECK(testing::error_message([&] { permutation(-1, random); }) ==
        "permutation: size -1 is negative");
  CHECK(permutation(0, random).empty());
}

TEST_CASE("permutations hold each number once, at every place equally often") {
  RandomStream random(4, stream_id("permutation"));
  constexpr size_t kSize = 6;
  constexpr int kDraws = 12000;
  std::vector<int64_t> counts(kSize * kSize);
  std::set<std::vector<int64_t>> orders;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<int64_t> order = permutation(kSize, random);
    for (size_t place = 0; place < kSize; ++place) {
      ++counts[place * kSize + static_cast<size_t>(order[place])];
    }
    orders.insert(order);
    std::sort(order.begin(), order.end());
    if (order != std::vector<int64_t>{0, 1, 2, 3, 4, 5}) FAIL("not a permutation");
  }
  CHECK(chi_square(counts, kDraws / 6.0) < 60.0);  // 25 degrees of freedom
  CHECK(orders.size() == 720);                     // all 6! of them
  CHECK(permutation(0, random).empty());
  CHECK(permutation(1, random) == std::vector<int64_t>{0});
}

TEST_CASE("a stream is a function of seed, stream and counter, and resumes by its counter") {
  RandomStream first(5, 6);
  std::vector<double> draws;
  for (int i = 0; i < 10; ++i) draws.push_back(i % 2 == 0 ? first.uniform() : first.normal());
  CHECK(first.counter() == 10);
  RandomStream resumed(5, 6, 4);
  CHECK(resumed.uniform() == draws[4]);
  CHECK(resumed.normal() == draws[5]);
  resumed.set_counter(0);
  CHECK(resumed.uniform() == draws[0]);
}

TEST_CASE("streams, seeds and neighbouring counters do not follow one another") {
  const auto correlation = [](RandomStream a, RandomStream b) {
    constexpr int kDraws = 50000;
    double sum = 0.0;
    for (int i = 0; i < kDraws; ++i) sum += a.normal() * b.normal();
    return sum / std::sqrt(static_cast<double>(kDraws));  // standard normal if independent
  };
  const uint64_t id = stream_id("augment", 3, 7);
  CHECK(std::abs(correlation({1, id}, {1, stream_id("augment", 3, 8)})) < 4.0);
  CHECK(std::abs(correlation({1, id}, {1, stream_id("augment", 4, 7)})) < 4.0);
  CHECK(std::abs(correlation({1, id}, {1, stream_id("dropout", 3, 7)})) < 4.0);
  CHECK(std::abs(correlation({1, id}, {2, id})) < 4.0);
  CHECK(std::abs(correlation({1, id}, {1, id, 1})) < 4.0);
}

TEST_CASE("stream numbers of purposes, epochs and samples are all different") {
  std::set<uint64_t> seen;
  for (uint64_t epoch = 0; epoch < 100; ++epoch) {
    for (uint64_t sample = 0; sample < 500; ++sample) {
      seen.insert(stream_id("augment", epoch, sample));
      seen.insert(stream_id("shuffle", epoch, sample));
    }
  }
  CHECK(seen.size() == 100000);
}

TEST_CASE("filled tensors take consecutive counters, alike in f32 and f64") {
  RandomStream a(8, 9);
  RandomStream b(8, 9);
  const Tensor wide = normal({3, 5}, 1.0, 2.0, a, DType::f64);
  const Tensor narrow = normal({3, 5}, 1.0, 2.0, b);
  CHECK(a.counter() == 15);
  for (int64_t i = 0; i < 15; ++i) {
    CHECK(narrow.data<float>()[i] == static_cast<float>(wide.data<double>()[i]));
  }
  const Tensor bounded = uniform({1000}, -3.0, 2.0, a);
  for (int64_t i = 0; i < 1000; ++i) {
    CHECK(bounded.data<float>()[i] >= -3.0F);
    CHECK(bounded.data<float>()[i] <= 2.0F);
  }
  CHECK_FALSE(testing::error_message([&] { uniform({1}, 0.0, 1.0, a, DType::i64); }).empty());
}

}  // namespace
}  // namespace diagrad
