#include "diagrad/train/run/options.h"

#include <doctest/doctest.h>

#include <cctype>

#include "diagrad/core/error.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using testing::error_message;

/// The message of validate() after one change to the defaults.
template <typename Change>
std::string complaint(Change change) {
  Options options;
  change(options);
  return error_message([&] { options.validate(); });
}

TEST_CASE("the default options are valid and survive JSON") {
  Options options;
  options.validate();
  options.model_opt = {"width=24"};
  options.schedule = "multistep:milestones=60+120";
  options.lr = 0.1 + 1e-17;
  options.momentum = 0.8;
  options.threads = 7;  // runtime: not part of what is kept
  const Options back = options_from_json(to_json(options));
  CHECK(back.model_opt == options.model_opt);
  CHECK(back.schedule == options.schedule);
  CHECK(back.lr == options.lr);
  CHECK(back.momentum == 0.8);
  CHECK(back.threads == 0);
  CHECK(to_json(back) == to_json(options));
  CHECK(differences(options, back).empty());
}

TEST_CASE("options that make no sense are refused in one line with the value") {
  CHECK(complaint([](Options& o) { o.epochs = 0; }) ==
        "epochs: 0 is out of range, use 1 to 1000000");
  CHECK(complaint([](Options& o) {
          o.task = "detect";
        }).find("task: detect is not in this version yet, it trains: classify") == 0);
  CHECK(complaint([](Options& o) { o.math = "quick"; }) ==
        "math: 'quick' is unknown (use one of: fast, exact)");
  CHECK(complaint([](Options& o) { o.optimizer = "lyon"; }).find("optimizer: 'lyon' is unknown") ==
        0);
  CHECK(complaint([](Options& o) { o.lr = -0.1; }) ==
        "lr: -0.1 must be above 0, e.g. 0.1, or 0 for the optimizer's default");
  CHECK(complaint([](Options& o) { o.schedule = "multistep"; }) ==
        "schedule: multistep needs milestones, e.g. multistep:milestones=60+120");
  CHECK(complaint([](Options& o) { o.momentum = 1.5; }) ==
        "momentum: 1.5 is out of range, use 0 to 1");
  CHECK(complaint([](Options& o) { o.ema_decay = 1.0; }) ==
        "ema-decay: 1 is out of range, use 0 to below 1");
  CHECK(complaint([](Options& o) {
          o.schedule = "onecycle";
          o.warmup = "1";
        }).find("which has a rise of its own") != std::string::npos);
  CHECK(complaint([](Options& o) {
          o.optimizer = "adamw";
          o.momentum = 0.9;
        }) == "momentum: optimizer adamw has none; leave --momentum out");
  CHECK(complaint([](Options& o) { o.optimizer = "sgd:beta2=0.9"; }) ==
        "optimizer: 'sgd' has no option 'beta2' (its options: nesterov)");
  CHECK(complaint([](Options& o) { o.task = "classify:label-smoothing=1"; }) ==
        "task: label-smoothing=1 of 'classify' must be a number from 0 to below 1");
}

TEST_CASE("a config that is no config is a checkpoint error") {
  CHECK(error_message([] { options_from_json("[1"); }) == "config: is not a JSON object");
  CHECK(error_message([] { options_from_json(R"({"batch": "many"})"); }) ==
        "config: batch has a value of the wrong type (string)");
  CHECK(error_message([] { options_from_json(R"({"bach": 1})"); }) ==
        "config: unknown option 'bach'; was it written by a newer diagrad?");
}

TEST_CASE("differences name the options that decide what comes out, runtime ones are free") {
  Options there;
  Options here;
  here.threads = 3;
  here.math = "exact";
  here.lr = 0.2;
  there.augment = {"pad-crop:border=4", "flip"};
  here.augment = {"flip"};
  const auto found = differences(there, here);
  REQUIRE(found.size() == 3);
  CHECK(found[0].text() == R"(math="fast" there, "exact" here)");
  CHECK(found[1].text() == R"(augment=["pad-crop:border=4","flip"] there, ["flip"] here)");
  CHECK(found[2].text() == "lr=0.0 there, 0.2 here");
}

TEST_CASE("a config has only what the choices of the run have") {
  Options options;
  options.fill_defaults();
  CHECK(to_toml(options).find("\nmomentum = 0.9\n") != std::string::npos);
  options = {};
  options.optimizer = "adamw";
  options.fill_defaults();
  CHECK(options.lr == 1e-3);
  CHECK(to_toml(options).find("momentum") == std::string::npos);
}

TEST_CASE("TOML text has every option under its heading") {
  const std::string text = to_toml(Options());
  CHECK(text.find("# Model\n") == 0);
  CHECK(text.find("weight-decay = 0.0001\n") != std::string::npos);
  CHECK(text.find("augment = []\n") != std::string::npos);
  CHECK(text.find("overfit-one-batch = false\n") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::train
