#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "diagrad/core/text.h"
#include "tests/cli/program.h"
#include "tests/cli/small_run.h"
#include "tests/data/support.h"

// `diagrad bench`: what it says, in words, JSON and traces. Nothing here depends on how fast the
// machine is.

namespace diagrad::testing {
namespace {

using nlohmann::json;

Words small_bench(const Words& more = {}) {
  return joined({"bench", "--model", "resnet8", "--model-opt", "width=4", "--batch", "4", "--input",
                 "16x16x3", "--threads", "1", "--steps", "2", "--warmup", "1"},
                more);
}

json json_of(const Words& words) {
  const ProgramResult result = run_program(words);
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  return json::parse(result.out);
}

/// Of two events of a trace; to the nanosecond, as numbers are rounded.
bool encloses(const json& outer, const json& inner) {
  const auto start = [](const json& event) { return event.at("ts").get<double>(); };
  const auto end = [&](const json& event) { return start(event) + event.at("dur").get<double>(); };
  return start(inner) >= start(outer) - 1e-3 && end(inner) <= end(outer) + 1e-3;
}

TEST_CASE("bench: JSON has the documented keys, and its figures agree") {
  const json all = json_of(small_bench({"--json", "--math", "exact"}));
  CHECK(all.at("format") == 2);
  CHECK(all.at("model") == "resnet8");
  CHECK(all.at("attention") == "dia-lstm");
  CHECK(all.at("batch") == 4);
  CHECK(all.at("threads") == 1);
  CHECK(all.at("device") == "cpu");
  CHECK(all.at("precision") == "f32");
  CHECK(all.at("math") == "exact");
  const double step = all.at("step_ms").at("median").get<double>();
  CHECK(all.at("step_ms").at("min") <= step);
  CHECK(all.at("step_ms").at("max") >= step);
  CHECK(all.at("images_per_second").get<double>() == doctest::Approx(4000.0 / step));
  const double flops = 6.0 * all.at("multiply_adds").get<double>();
  CHECK(all.at("gflops").get<double>() == doctest::Approx(1e-6 * flops / step));
  for (const char* phase : {"forward", "backward", "optimizer", "data"}) {
    CHECK(all.at("phases_ms").at(phase) >= 0.0);
  }
  CHECK(all.at("peak_gflops") > 0.0);
  CHECK(all.at("peak_gigabytes_per_second") > 0.0);
  CHECK(all.at("bytes") > 0);
  CHECK(all.at("peak_memory_bytes") >= 0);
  CHECK(all.at("allocator_peak_bytes") > 0);
  CHECK(all.at("system_allocations").is_number_integer());
  CHECK_FALSE(all.contains("profile"));
  const json summary = json_of(
      {"summary", "--model", "resnet8", "--model-opt", "width=4", "--input", "16x16x3", "--json"});
  CHECK(all.at("parameters") == summary.at("parameters"));
  CHECK(all.at("multiply_adds") == 4 * summary.at("multiply_adds").get<int64_t>());
}

TEST_CASE("bench: the rows of a profile add up to the step") {
  const json all = json_of(small_bench({"--json", "--profile", "--steps", "1"}));
  double rows = 0.0;
  int64_t multiply_adds = 0;
  std::map<std::string, double> calls;
  double before = 1e30;
  for (const json& row : all.at("profile")) {
    const double ms = row.at("ms").get<double>();
    CHECK(ms <= before);
    before = ms;
    rows += ms;
    multiply_adds += row.at("multiply_adds").get<int64_t>();
    calls[row.at("operation").get<std::string>() + " " + row.at("pass").get<std::string>()] =
        row.at("calls").get<double>();
  }
  const json& phases = all.at("phases_ms");
  CHECK(rows ==
        doctest::Approx(phases.at("forward").get<double>() + phases.at("backward").get<double>() +
                        phases.at("optimizer").get<double>()));
  CHECK(multiply_adds == 3 * all.at("multiply_adds").get<int64_t>());
  CHECK(calls.at("conv2d forward") == 9);  // the stem, six of blocks, two shortcuts
  CHECK(calls.at("conv2d backward") == 9);
}

TEST_CASE("bench: a trace is complete events, operations inside of their phases") {
  const TemporaryFolder folder;
  const std::string path = folder.path("trace.json");
  const ProgramResult result = run_program(small_bench({"--trace", path}));
  REQUIRE(result.code == 0);
  CHECK(result.out.find("trace in " + path) != std::string::npos);
  const json trace = json::parse(std::ifstream(path));
  std::map<std::string, int> phases;
  std::vector<json> operations;
  std::vector<json> spans;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M") continue;
    CHECK(event.at("ph") == "X");
    CHECK(event.at("ts") >= 0.0);
    CHECK(event.at("dur") >= 0.0);
    CHECK(event.at("pid").is_number_integer());
    CHECK(event.at("tid").is_number_integer());
    CHECK(event.at("args").is_object());
    const bool is_phase = event.at("name") == event.at("cat");
    (is_phase ? spans : operations).push_back(event);
    if (is_phase) phases[event.at("name").get<std::string>()] += 1;
  }
  // Gradients are cleared before the forward pass of a step and used after the backward pass.
  CHECK(phases == std::map<std::string, int>{{"forward", 2}, {"backward", 2}, {"optimizer", 4}});
  CHECK(operations.size() > 100);
  for (const json& operation : operations) {
    CHECK(std::any_of(spans.begin(), spans.end(), [&](const json& span) {
      return span.at("cat") == operation.at("cat") && encloses(span, operation);
    }));
  }
}

TEST_CASE("bench: words fit 80 columns and tell the same figures") {
  const ProgramResult result = run_program(small_bench({"--profile", "--precision", "f64"}));
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  for (const char* words : {"images/s", "backward", "GFLOP/s", "peak memory", "foreign CPU",
                            "% of step", "conv2d", "(between)"}) {
    CAPTURE(words);
    CHECK(result.out.find(words) != std::string::npos);
  }
  for (const std::string& line : lines_of(result.out)) {
    CAPTURE(line);
    CHECK(columns(line) <= 80);
  }
}

TEST_CASE("bench: every mistake is told in one line") {
  const TemporaryFolder folder;
  CHECK(refuses(small_bench({"--steps", "0"}), 2, "--steps: 0 is out of range, use 1 to"));
  CHECK(refuses(small_bench({"--warmup", "0"}), 2, "--warmup: 0 is out of range"));
  CHECK(refuses(small_bench({"--steps", "ten"}), 2, "--steps: 'ten'"));
  CHECK(refuses(small_bench({"--model", "resnet21"}), 2, "--model: 'resnet21' is unknown"));
  CHECK(refuses(small_bench({"--attention", "dia"}), 2, "--attention: 'dia' is unknown"));
  CHECK(refuses(small_bench({"--batch", "0"}), 2, "--batch: 0"));
  CHECK(refuses(small_bench({"--input", "16x16"}), 2, "--input: '16x16' is no height"));
  CHECK(refuses(small_bench({"--input", "16x16x5"}), 2, "--input: 16x16x5 has 5 channels"));
  CHECK(refuses(small_bench({"--trace", folder.path()}), 2, "is a folder"));
  CHECK(refuses(small_bench({"--trace", folder.path("no/trace.json")}), 2, "--trace: "));
}

}  // namespace
}  // namespace diagrad::testing
