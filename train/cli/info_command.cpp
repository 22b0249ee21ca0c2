#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "diagrad/core/build_info.h"
#include "diagrad/core/device.h"
#include "diagrad/core/threads.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/run/run_folder.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;

/// "no", "yes" or a text, for people.
std::string words(const ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

ordered_json collect() {
  const BuildInfo& build = build_info();
  ordered_json info = {{"format", train::kFormat},
                       {"version", build.version},
                       {"commit", build.commit},
                       {"compiler", build.compiler},
                       {"build_type", build.build_type},
                       {"architecture", build.architecture},
                       {"sanitizers", build.sanitizers},
                       {"instruction_set", build.instruction_set},
                       {"cpu", cpu_name()},
                       {"cpu_runs_this_build", missing_cpu_features().empty()},
                       {"cpu_lacks", missing_cpu_features()},
                       {"cores", std::thread::hardware_concurrency()},
                       {"threads", num_threads()},
                       {"thread_backend", name(thread_backend())},
                       {"cuda", built_with_cuda()}};
  info["devices"] = ordered_json::array();
  for (const Device& device : devices()) info["devices"].push_back(device.str());
  info["libraries"] = ordered_json::parse(train::environment_json({}))["libraries"];
  return info;
}

class InfoCommand : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.flag({"json", "", "", "print JSON for programs"}, json_);
  }

  int run() override {
    Console console(false, json_);
    const ordered_json info = collect();
    if (json_) {
      console.json(info.dump(2, ' ', false, ordered_json::error_handler_t::replace));
      return kDone;
    }
    for (const auto& item : info.items()) {
      if (item.value().is_structured() || item.key() == "format") continue;
      if (words(item.value()).empty()) continue;
      std::string name = item.key();
      for (char& c : name) c = c == '_' ? ' ' : c;
      console.line(fmt::format("{:<22}{}", name, words(item.value())));
    }
    std::string label = "devices";
    for (const auto& device : info["devices"]) {
      console.line(fmt::format("{:<22}{}", std::exchange(label, ""), words(device)));
    }
    label = "libraries";
    for (const auto& item : info["libraries"].items()) {
      console.line(
          fmt::format("{:<22}{} {}", std::exchange(label, ""), item.key(), words(item.value())));
    }
    return kDone;
  }

 private:
  bool json_ = false;
};

[[maybe_unused]] const bool registered =
    register_command({.name = "info",
                      .help = "print version, build, processor, devices and libraries",
                      .position = 150,
                      .make = [] { return std::make_unique<InfoCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
