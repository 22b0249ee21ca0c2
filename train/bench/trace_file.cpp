#include "diagrad/train/bench/trace_file.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace diagrad::train {
namespace {

using Clock = PhaseSpan::Clock;
using nlohmann::ordered_json;

double microseconds(Clock::duration span) {
  return std::chrono::duration<double, std::micro>(span).count();
}

ordered_json trace_event(const ProfileEvent& event, Clock::time_point origin) {
  ordered_json arguments = ordered_json::object();
  const double seconds = event.seconds();
  if (event.multiply_adds > 0 && seconds > 0.0) {
    arguments["gflops"] = 2e-9 * static_cast<double>(event.multiply_adds) / seconds;
  }
  if (event.bytes > 0 && seconds > 0.0) {
    arguments["gigabytes_per_s"] = 1e-9 * static_cast<double>(event.bytes) / seconds;
  }
  return {{"ph", "X"},
          {"name", event.name},
          {"cat", event.pass},
          {"ts", microseconds(event.start - origin)},
          {"dur", microseconds(event.end - event.start)},
          {"pid", 1},
          {"tid", 1},
          {"args", std::move(arguments)}};
}

}  // namespace

std::string chrome_trace(const Profile& profile, const std::string& title) {
  ordered_json events = ordered_json::array();
  events.push_back(
      {{"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", title}}}});
  const Clock::time_point origin =
      profile.phases().empty() ? Clock::time_point() : profile.phases().front().start;
  for (const ProfileEvent& phase : profile.phases()) events.push_back(trace_event(phase, origin));
  for (const ProfileEvent& operation : profile.operations()) {
    events.push_back(trace_event(operation, origin));
  }
  const ordered_json file = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  return file.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace diagrad::train
