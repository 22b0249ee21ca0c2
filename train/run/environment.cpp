#include <fmt/format.h>
#include <omp.h>
#include <xxhash.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "diagrad/core/build_info.h"
#include "diagrad/core/threads.h"
#include "diagrad/core/toml.h"
#include "diagrad/train/run/run_folder.h"

namespace diagrad::train {
namespace {

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// 1.2.3 for 10203.
std::string version_text(unsigned number) {
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

}  // namespace

std::string environment_json(const Options& options, int64_t number) {
  const BuildInfo& build = build_info();
  nlohmann::json environment = {
      {"version", build.version},
      {"commit", build.commit},
      {"compiler", build.compiler},
      {"build_type", build.build_type},
      {"architecture", build.architecture},
      {"instruction_set", build.instruction_set},
      {"sanitizers", build.sanitizers},
      {"cpu", cpu_name()},
      {"cores", std::thread::hardware_concurrency()},
      {"device", options.device},
      {"threads", num_threads()},
      {"thread_backend", name(thread_backend())},
      {"workers", options.workers},
      {"started", utc_time()},
      {"libraries",
       {{"cli11", CLI11_VERSION},
        {"fmt", version_text(FMT_VERSION)},
        {"nlohmann_json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
        {"openmp", _OPENMP},
        {"stb_image_write", DIAGRAD_STB_VERSION},
        {"tomlplusplus", toml_library_version()},
        {"xxhash", version_text(XXH_versionNumber())},
        {"zlib", zlibVersion()}}}};
  if (number > 0) environment["number"] = number;
  return environment.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace diagrad::train
