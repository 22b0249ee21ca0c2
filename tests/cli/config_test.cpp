#include <doctest/doctest.h>

#include "diagrad/train/cli/recipes.h"
#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Flags, config files and recipes are three spellings of one set of options.

namespace diagrad::testing {
namespace {

/// What --print-config gives for these options.
std::string printed(const Words& options) {
  const ProgramResult result = run_program(joined({"train", "--print-config"}, options));
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  return result.out;
}

/// The same, given as a config file.
std::string printed_again(const std::string& config) {
  const TemporaryFolder folder;
  return printed({"--config", folder.write("run.toml", {config.begin(), config.end()})});
}

TEST_CASE("what --print-config prints gives the same options as a config file") {
  const Words every[] = {
      {},
      {"--model", "resnet", "--model-opt", "depth=14", "--model-opt", "width=8", "--lr", "0.3"},
      {"--data", "/a \"b\" # c \\ d", "--augment", "none", "--schedule", "multistep:milestones=3+5",
       "--no-decay", "1d,*.bias", "--weight-decay", "5e-4"},
      {"--attention", "dia-lstm:reduction=8,output=tanh", "--sharing", "network", "--schedule",
       "onecycle:cycle-momentum=false", "--optimizer", "adamw:epsilon=1.25e-300"}};
  for (const Words& options : every) {
    const std::string first = printed(options);
    CHECK(printed_again(first) == first);
  }
}

TEST_CASE("every recipe comes back from its printed config, and flags win over it") {
  for (const cli::Recipe& recipe : cli::recipes()) {
    CAPTURE(recipe.name);
    const std::string first = printed({"--recipe", std::string(recipe.name)});
    CHECK(printed_again(first) == first);
    CHECK(printed_again(std::string(recipe.text)) == first);
    CHECK(
        printed({"--recipe", std::string(recipe.name), "--epochs", "77"}).find("\nepochs = 77\n") !=
        std::string::npos);
  }
}

TEST_CASE("a config gives the same options from any editor") {
  const std::string first = printed({"--data", "/a\x7f \xff", "--epochs", "3"});
  std::string windows;
  for (const char c : first) windows += c == '\n' ? "\r\n" : std::string(1, c);
  const std::string mark = "\xEF\xBB\xBF";
  const std::string no_end = first.substr(0, first.size() - 1);
  for (const std::string& text : {first, windows, mark + first, mark + windows, no_end,
                                  mark + windows.substr(0, windows.size() - 2)}) {
    CHECK(printed_again(text) == first);
  }
}

TEST_CASE("a recipe says what it is from any editor") {
  const std::string text = "# What it is.\n# Reaches: 90 %\nepochs = 3\n";
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& saved : {text, windows}) {
    const cli::Recipe recipe{"mine", saved};
    CHECK(recipe.help() == "What it is.");
    CHECK(recipe.reaches() == "90 %");
    CHECK(recipe.settings().at(0).values == Words{"3"});
  }
  CHECK(cli::Recipe{"short", "# What it is."}.help() == "What it is.");
  CHECK(cli::Recipe{"none", ""}.help().empty());
}

TEST_CASE("the config of a run folder gives the same bits again") {
  const TemporaryFolder folder;
  const std::string first = folder.path("first");
  make_small_run(first, {"--epochs", "2", "--optimizer", "adamw", "--ema-decay", "0.9", "--task",
                         "classify:label-smoothing=0.1", "--attention", "se:reduction=2"});
  const std::string second = folder.path("second");
  const ProgramResult again =
      run_program({"train", "--config", first + "/config.toml", "--out", second});
  CHECK(again.code == 0);
  CHECK(again.err.empty());
  for (const char* file : {"last", "best"}) {
    const std::string path = std::string("/checkpoints/") + file + ".safetensors";
    CHECK(text_of(first + path) == text_of(second + path));
  }
  CHECK(text_of(first + "/config.toml") == text_of(second + "/config.toml"));
  CHECK(events_of(first) == events_of(second));
}

}  // namespace
}  // namespace diagrad::testing
