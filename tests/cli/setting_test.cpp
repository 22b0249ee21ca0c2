#include "diagrad/train/cli/setting.h"

#include <doctest/doctest.h>

#include "diagrad/train/cli/recipes.h"
#include "diagrad/train/cli/toml.h"
#include "tests/support/op_case.h"

namespace diagrad::cli {
namespace {

using testing::error_message;

std::string complaint(const Setting& setting) {
  train::Options options;
  return error_message([&] { assign(options, setting); });
}

TEST_CASE("settings reach the members of the options") {
  train::Options options;
  assign(options, {"epochs", {"3", "7"}, false, "--epochs"});
  assign(options, {"weight-decay", {"5e-4"}, false, "--weight-decay"});
  assign(options, {"nesterov", {"true"}, false, "--nesterov"});
  assign(options, {"milestones", {"60,120", "150"}, false, "--milestones"});
  assign(options, {"augment", {"a,b", "c"}, true, "run.toml:1: augment"});
  CHECK(options.epochs == 7);
  CHECK(options.weight_decay == 5e-4);
  CHECK(options.nesterov);
  CHECK(options.milestones == std::vector<int64_t>{60, 120, 150});
  CHECK(options.augment == std::vector<std::string>{"a,b", "c"});
}

TEST_CASE("settings of a wrong name or type are refused") {
  CHECK(complaint({"weight_decay", {"1"}, false, "run.toml:7: weight_decay"}) ==
        "run.toml:7: weight_decay: there is no option of this name, did you mean 'weight-decay'?");
  CHECK(complaint({"epochs", {"3.5"}, false, "--epochs"}) ==
        "--epochs: '3.5' is not a whole number");
  CHECK(complaint({"epochs", {"99999999999999999999"}, false, "--epochs"}) ==
        "--epochs: '99999999999999999999' is not a whole number");
  CHECK(complaint({"lr", {"nan"}, false, "--lr"}) == "--lr: 'nan' is not a number");
  CHECK(complaint({"nesterov", {"maybe"}, false, "--nesterov"}) ==
        "--nesterov: 'maybe' is not true or false");
  CHECK(complaint({"epochs", {"1", "2"}, true, "run.toml:1: epochs"}) ==
        "run.toml:1: epochs: takes one value, got a list of 2");
}

TEST_CASE("the config of a run reads back to the same options") {
  train::Options options;
  options.data = "/data/a # \"b\" \\ \xC3\xA9";
  options.model_opt = {"width=24", "odd=a,b"};
  options.milestones = {60, 120};
  options.lr = 0.1 + 1e-17;
  options.nesterov = true;
  options.threads = 7;
  const std::string text = train::to_toml(options);
  train::Options back;
  for (const Setting& setting : parse_toml(text, "config.toml")) assign(back, setting);
  CHECK(train::to_toml(back) == text);
}

TEST_CASE("every recipe says what it is for and reaches, and holds valid options") {
  CHECK(recipes().size() >= 8);
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    CHECK_FALSE(recipe.help().empty());
    CHECK_FALSE(recipe.reaches().empty());
    train::Options options;
    for (const Setting& setting : recipe.settings()) assign(options, setting);
    options.validate();
  }
  CHECK(error_message([] { find_recipe("quik"); }).find("did you mean 'quick'?") !=
        std::string::npos);
}

TEST_CASE("recipes of the paper use the authors' settings") {
  for (const char* name : {"cifar10-resnet164-none", "cifar100-resnet164-dia-lstm"}) {
    train::Options options;
    for (const Setting& setting : find_recipe(name).settings()) assign(options, setting);
    CHECK(options.epochs == 180);
    CHECK(options.batch == 128);
    CHECK(options.lr == 0.1);
    CHECK(options.momentum == 0.9);
    CHECK_FALSE(options.nesterov);
    CHECK(options.weight_decay == 1e-4);
    CHECK(options.no_decay.empty());
    CHECK(options.milestones == std::vector<int64_t>{60, 120});
    CHECK(options.gamma == 0.1);
    CHECK(options.normalization == "cifar");
    CHECK(options.augment == std::vector<std::string>{"pad-crop=4", "flip"});
  }
}

}  // namespace
}  // namespace diagrad::cli
