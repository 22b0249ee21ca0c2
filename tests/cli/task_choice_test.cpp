// Which task a command takes where the user names none.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"

namespace diagrad::testing {
namespace {

using nlohmann::json;

std::string task_of(const Words& words) {
  const ProgramResult result =
      run_program(joined({"train", "--data", "shapes:size=16", "--dry-run", "--json"}, words));
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  return json::parse(result.out).at("task");
}

TEST_CASE("a model without a task gets one that it fits") {
  CHECK(task_of({"--model", "resnet8"}) == "classify");
  CHECK(task_of({"--model", "unet", "--model-opt", "base=4,mult=1+1"}) == "denoise");
  CHECK(task_of({"--model", "resnet8", "--task", "classify:label-smoothing=0.1"}) ==
        "classify:label-smoothing=0.1");
  CHECK(refuses({"train", "--model", "unet", "--task", "classify", "--dry-run"}, 2,
                "tasks that fit: denoise; models that fit: "));
  CHECK(run_program({"summary", "--model", "unet", "--model-opt", "base=4,mult=1+1"}).code == 0);
}

}  // namespace
}  // namespace diagrad::testing
