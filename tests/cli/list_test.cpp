#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diagrad/core/text.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/run/options.h"
#include "tests/cli/program.h"

namespace diagrad::cli {
namespace {

using nlohmann::json;
using testing::lines_of;
using testing::ProgramResult;
using testing::refuses;
using testing::run_program;

TEST_CASE("help of the program and of every command fits 80 columns") {
  std::vector<std::vector<std::string>> lines = {{"--help"}, {}};
  for (const CommandInfo& info : commands()) {
    if (info.name == "weights") continue;  // CONTRIBUTING.md adds it, to the tests alone
    lines.push_back({info.name, "--help"});
  }
  for (const auto& line : lines) {
    const ProgramResult result = run_program(line);
    CHECK(result.code == 0);
    CHECK(result.err.empty());
    CHECK(result.out.rfind("Usage: diagrad", 0) == 0);
    CHECK(result.out.find("--help") != std::string::npos);
    for (const std::string& text : lines_of(result.out)) {
      CAPTURE(text);
      CHECK(columns(text) <= 80);
    }
  }
}

/// The lines of an option in --help, their ends and indents made blanks; empty where there is none.
std::string help_entry(const std::string& help, const std::string& name) {
  const size_t begin = help.find(fmt::format("\n  --{} ", name)) == std::string::npos
                           ? help.find(fmt::format("\n  --{}\n", name))
                           : help.find(fmt::format("\n  --{} ", name));
  if (begin == std::string::npos) return {};
  size_t end = begin + 1;
  do {
    end = std::min(help.find('\n', end), help.size() - 1) + 1;
  } while (help.compare(end, 3, "   ") == 0);
  std::string words;
  for (const char c : help.substr(begin, end - begin)) {
    const char letter = c == '\n' ? ' ' : c;
    if (letter != ' ' || words.empty() || words.back() != ' ') words += letter;
  }
  return words;
}

TEST_CASE("help of train shows every option with its default") {
  const std::string help = run_program({"train", "--help"}).out;
  int count = 0;
  for (const train::OptionInfo& info : train::option_table()) {
    const Option& option = info.option;
    const std::string words = help_entry(help, option.name);
    CAPTURE(option.name);
    CAPTURE(words);
    CHECK(!words.empty());
    if (!option.default_value.empty()) {
      CHECK(words.find(" [" + option.default_value + "]") != std::string::npos);
    }
    ++count;
  }
  CHECK(count > 30);
}

TEST_CASE("the version is one line") {
  const ProgramResult result = run_program({"--version"});
  CHECK(result.code == 0);
  CHECK(result.out.rfind("diagrad 0.", 0) == 0);
  CHECK(lines_of(result.out).size() == 1);
}

TEST_CASE("lists give JSON with their documented keys") {
  for (const std::string name : {"models", "attention", "datasets", "recipes", "tasks",
                                 "augmentations", "optimizers", "schedules", "samplers"}) {
    const ProgramResult result = run_program({name, "--json"});
    CHECK(result.code == 0);
    const json all = json::parse(result.out);
    CHECK(all.at("format") == 2);
    for (const json& entry : all.at(name)) {
      CHECK(entry.at("name").is_string());
      CHECK(entry.at("help").is_string());
      if (name == "datasets") CHECK(entry.at("targets").is_string());
      for (const json& option : entry.at("options")) {
        CHECK(option.contains("name"));
        CHECK(option.contains("default"));
        CHECK(option.contains("help"));
      }
    }
  }
}

TEST_CASE("a model tells the size of its images, its head and what --init takes") {
  const std::string vit = run_program({"models", "vit-cifar"}).out;
  CHECK(vit.find("  images      [32,32,3]\n") != std::string::npos);
  CHECK(vit.find("  head        head\n") != std::string::npos);
  CHECK(vit.find("  init        FILE:grid=, patches that the positions") != std::string::npos);
  const std::string resnet = run_program({"models", "resnet20"}).out;
  CHECK(resnet.find("  images      of any size\n") != std::string::npos);
  CHECK(resnet.find("  head        fc\n") != std::string::npos);
  CHECK(resnet.find("FILE:") == std::string::npos);
}

TEST_CASE("a recipe is printed as a config file") {
  const ProgramResult result = run_program({"recipes", "quick"});
  CHECK(result.code == 0);
  CHECK(result.out.rfind("# ", 0) == 0);
  CHECK(result.out.find("\nattention = \"dia-lstm\"\n") != std::string::npos);
}

TEST_CASE("info tells build, processor and libraries") {
  const json info = json::parse(run_program({"info", "--json"}).out);
  for (const char* key : {"format", "version", "commit", "compiler", "build_type", "architecture",
                          "instruction_set", "cpu", "cpu_runs_this_build", "cores", "threads",
                          "thread_backend", "cuda", "devices", "libraries"}) {
    CAPTURE(key);
    CHECK(info.contains(key));
  }
  CHECK(info["devices"] == json::array({"cpu"}));
  CHECK(info["thread_backend"] == "pool");
  for (const char* library : {"cli11", "fmt", "nlohmann_json", "stb_image_write", "zlib"}) {
    CAPTURE(library);
    const std::string version = info["libraries"].at(library);
    CHECK(version.find_first_not_of("0123456789.") == std::string::npos);
    CHECK(version.find('.') != std::string::npos);
  }
  const std::string words = run_program({"info"}).out;
  for (const char* line : {"instruction set       ", "thread backend        pool\n",
                           "devices               cpu\n", "libraries             cli11 "}) {
    CHECK(words.find(line) != std::string::npos);
  }
}

TEST_CASE("words that no command knows are refused in one line") {
  CHECK(refuses({"recpies"}, 2, "command 'recpies' is unknown, did you mean 'recipes'?"));
  CHECK(refuses({"recipes", "--jsn"}, 2, "option --jsn is unknown, did you mean '--json'?"));
  CHECK(refuses({"recipes", "--jsn=1"}, 2, "option --jsn is unknown"));
  CHECK(refuses({"recipes", "a", "b"}, 2, "'b' is one word too many"));
  CHECK(refuses({"recipes", "qick"}, 2, "did you mean 'quick'?"));
  CHECK(refuses({"recipes", "--json=perhaps"}, 2, "--json: 'perhaps' is not true or false"));
  CHECK(refuses({"two\nlines"}, 2, "command 'two\\nlines' is unknown"));
}

TEST_CASE("results that cannot be written are an error") {
  testing::ProgramOptions options;
  options.output_file = "/dev/full";
  CHECK(
      refuses({"recipes", "--json"}, 1, "cannot write to standard output: No space left", options));
}

TEST_CASE("colours stay away from pipes and from NO_COLOR") {
  CHECK(run_program({"datasets", "shapes"}).out.find('\x1b') == std::string::npos);
  testing::ProgramOptions options;
  options.environment = {{"TERM", "xterm"}, {"NO_COLOR", ""}};
  options.terminal_columns = 80;
  CHECK(run_program({"datasets", "shapes"}, options).out.find('\x1b') != std::string::npos);
  options.environment.emplace_back("NO_COLOR", "1");
  CHECK(run_program({"datasets", "shapes"}, options).out.find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace diagrad::cli
