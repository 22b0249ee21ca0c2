#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// docs/output.md names every key and column that programs may read.

namespace diagrad::testing {
namespace {

using nlohmann::json;

void collect(const json& value, std::set<std::string>& keys) {
  if (value.is_object()) {
    for (const auto& item : value.items()) keys.insert(item.key());
  }
  for (const json& part : value) {
    if (part.is_structured()) collect(part, keys);
  }
}

TEST_CASE("every key and column that the program writes is documented") {
  const std::string page = text_of(std::string(DIAGRAD_SOURCE_DIR) + "/docs/output.md");
  REQUIRE_FALSE(page.empty());
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--ema-decay", "0.9"});
  std::set<std::string> keys;
  for (const char* file : {"/result.json", "/run.json", "/blocks.json"}) {
    collect(json::parse(text_of(out + file)), keys);
  }
  const Words words[] = {
      small_train(folder.path("runs"), {"--runs", "2", "--json", "--quiet"}),
      small_train(folder.path("plan"), {"--dry-run", "--json"}),
      {"eval", out, "--json"},
      {"eval", "shapes:size=16,test=80", "--frechet", out, "--reference", "shapes:size=16,train=80",
       "--json"},
      {"summary", "--model", "resnet8", "--json"},
      {"bench", "--model", "resnet8", "--model-opt", "width=4", "--batch", "2", "--input",
       "16x16x3", "--steps", "1", "--warmup", "1", "--threads", "1", "--profile", "--json"},
      {"info", "--json"},
      {"attention", "--json"},
      {"datasets", "--json"},
      {"recipes", "--json"},
      {"models", "--json"},
      {"tasks", "--json"},
      {"augmentations", "--json"},
      {"optimizers", "--json"},
      {"schedules", "--json"},
      {"samplers", "--json"}};
  for (const Words& command : words) {
    CAPTURE(command.front());
    collect(json::parse(run_program(command).out), keys);
  }
  const json info = json::parse(run_program({"info", "--json"}).out);
  for (const auto& library : info.at("libraries").items()) keys.erase(library.key());
  const std::vector<std::string> events = lines_of(text_of(out + "/events.jsonl"));
  collect(json::parse(events.front()), keys);
  std::istringstream columns(lines_of(text_of(out + "/metrics.csv")).front());
  for (std::string column; std::getline(columns, column, ',');) keys.insert(column);
  CHECK(keys.size() > 100);
  for (const std::string& key : keys) {
    CAPTURE(key);
    const bool named = page.find("`" + key + "`") != std::string::npos ||
                       page.find("." + key + "`") != std::string::npos;
    CHECK(named);
  }
}

}  // namespace
}  // namespace diagrad::testing
