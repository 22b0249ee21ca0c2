#include <nlohmann/json.hpp>

#include "diagrad/train/cli/bench_output.h"
#include "diagrad/train/run/format.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;

ordered_json optional_json(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json profile_json(const BenchReport& report) {
  const auto steps = static_cast<double>(report.bench.steps);
  ordered_json rows = ordered_json::array();
  for (const train::ProfileRow& row : report.result.profile->rows()) {
    rows.push_back({{"operation", row.name},
                    {"pass", row.pass},
                    {"calls", static_cast<double>(row.calls) / steps},
                    {"ms", 1e3 * row.seconds / steps},
                    {"multiply_adds", static_cast<double>(row.multiply_adds) / steps},
                    {"bytes", static_cast<double>(row.bytes) / steps}});
  }
  return rows;
}

}  // namespace

std::string bench_json(const BenchReport& report) {
  const train::Options& options = report.options;
  const train::StepBench& r = report.result;
  const Shape& input = report.bench.input;
  ordered_json result = {
      {"format", train::kFormat},
      {"task", options.task},
      {"model", options.model},
      {"attention", options.attention},
      {"sharing", options.sharing},
      {"classes", options.classes},
      {"input", std::vector<int64_t>(input.begin(), input.end())},
      {"parameters", r.parameters},
      {"batch", options.batch},
      {"threads", r.threads},
      {"device", options.device},
      {"precision", options.precision},
      {"math", options.math},
      {"optimizer", options.optimizer},
      {"steps", report.bench.steps},
      {"warmup", report.bench.warmup},
      {"images_per_second", report.images_per_second(r.step_seconds.median)},
      {"step_ms",
       {{"median", 1e3 * r.step_seconds.median},
        {"min", 1e3 * r.step_seconds.min},
        {"max", 1e3 * r.step_seconds.max}}},
      {"phases_ms",
       {{"forward", 1e3 * r.forward_seconds},
        {"backward", 1e3 * r.backward_seconds},
        {"optimizer", 1e3 * r.optimizer_seconds},
        {"data", 1e3 * r.data_seconds}}},
      {"multiply_adds", r.multiply_adds},
      {"gflops", 1e-9 * report.flops_per_second()},
      {"peak_gflops", 1e-9 * r.peak_flops},
      {"bytes", r.bytes},
      {"gigabytes_per_second", 1e-9 * report.bytes_per_second()},
      {"peak_gigabytes_per_second", 1e-9 * r.bandwidth},
      {"peak_memory_bytes", r.peak_memory_bytes},
      {"allocator_peak_bytes", r.allocator_peak_bytes},
      {"system_allocations", r.system_allocations},
      {"foreign_cpu",
       {{"before", optional_json(r.foreign_before)}, {"during", optional_json(r.foreign_during)}}},
      {"startup_seconds", optional_json(r.startup_seconds)}};
  if (report.profile) result["profile"] = profile_json(report);
  return result.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace diagrad::cli
