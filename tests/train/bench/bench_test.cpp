#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/process.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/train/bench/profile.h"
#include "diagrad/train/bench/step_bench.h"
#include "diagrad/train/bench/trace_file.h"
#include "tests/support/op_case.h"

// What `diagrad bench` is made of. Nothing depends on how fast the machine is.

namespace diagrad::train {
namespace {

using Clock = PhaseSpan::Clock;

/// A step of one product [2,3] x [3,4] in f64, and a view of it.
void profile_product(Profile& profile) {
  const Tensor a = Tensor::ones({2, 3}, DType::f64);
  const Tensor b = Tensor::ones({3, 4}, DType::f64);
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  profile.begin_step();
  const autograd::ObserverScope scope(profile);
  const auto start = Clock::now();
  const Tensor c = reshape(matmul(a, b), {8});
  const auto middle = Clock::now();
  backward(c, Tensor::ones({8}, DType::f64));
  const std::vector<PhaseSpan> phases = {{"forward", start, middle},
                                         {"backward", middle, Clock::now()}};
  profile.end_step(phases);
}

const ProfileRow& row_of(const std::vector<ProfileRow>& rows, std::string_view name,
                         std::string_view pass) {
  for (const ProfileRow& row : rows) {
    if (row.name == name && row.pass == pass) return row;
  }
  FAIL("no row of ", name, " ", pass);
  return rows.front();
}

TEST_CASE("a profile counts calls, multiply-adds and bytes, forward and backward") {
  Profile profile;
  profile_product(profile);
  profile_product(profile);
  const std::vector<ProfileRow> rows = profile.rows();
  const ProfileRow& forward = row_of(rows, "matmul", "forward");
  CHECK(forward.calls == 2);
  CHECK(forward.multiply_adds == 2 * 24);
  CHECK(forward.bytes == 2 * 8 * (6 + 12 + 8));
  const ProfileRow& back = row_of(rows, "matmul", "backward");
  CHECK(back.calls == 2);
  CHECK(back.multiply_adds == 2 * 48);
  // The gradient that arrives, both factors, and their gradients.
  CHECK(back.bytes == 2 * 8 * (8 + 6 + 12 + 6 + 12));
  // A view moves nothing.
  CHECK(row_of(rows, "reshape", "forward").bytes == 0);
  CHECK(row_of(rows, "reshape", "backward").bytes == 0);
}

TEST_CASE("the rows of a profile add up to its phases, the longest first") {
  Profile profile;
  profile_product(profile);
  double phases = 0.0;
  for (const ProfileEvent& phase : profile.phases()) phases += phase.seconds();
  double rows = 0.0;
  double last = phases;
  for (const ProfileRow& row : profile.rows()) {
    CHECK(row.seconds >= 0.0);
    CHECK(row.seconds <= last);
    last = row.seconds;
    rows += row.seconds;
  }
  CHECK(rows == doctest::Approx(phases));
}

TEST_CASE("a trace starts at its first event and keeps hostile names in their place") {
  Profile profile;
  profile_product(profile);
  const auto trace = nlohmann::json::parse(chrome_trace(profile, "a \"name\"\n\xff"));
  const auto& events = trace.at("traceEvents");
  // The title, two phases, two operations forward and backward.
  REQUIRE(events.size() == 1 + 2 + 4);
  CHECK(events[0].at("args").at("name").get<std::string>().rfind("a \"name\"\n", 0) == 0);
  CHECK(events[1].at("ts") == 0.0);
  CHECK(events[3].at("name") == "matmul");
  CHECK(events[3].at("args").at("gflops") > 0.0);
}

TEST_CASE("a spread has the middle of its values") {
  const Spread odd = spread_of({3.0, 1.0, 2.0});
  CHECK(odd.median == 2.0);
  CHECK(odd.min == 1.0);
  CHECK(odd.max == 3.0);
  CHECK(spread_of({4.0, 1.0}).median == 2.5);
  CHECK(testing::error_message([] { spread_of({}); }) == "spread_of: no values");
}

TEST_CASE("a process knows its age, its size and how busy others are") {
  CHECK(peak_resident_bytes() > 1 << 20);
  const ForeignCpu foreign;
  const double before = seconds_since_process_start().value_or(0.0);
  CHECK(before >= 0.0);
  CHECK(before < 1e7);
  CHECK(seconds_since_process_start().value_or(0.0) >= before);
  const double share = foreign.share().value_or(0.0);
  CHECK(share >= 0.0);
  CHECK(share <= 1.0);
}

}  // namespace
}  // namespace diagrad::train
