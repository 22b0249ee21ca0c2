#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Names of files and folders that a shell, a command line or a text file could misread; and what
// must not depend on the clock.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kNames = {"-dash",
                                         "--",
                                         "--quiet",
                                         "with  two spaces",
                                         "it's",
                                         "new\nline",
                                         "tab\t'and quote'",
                                         "\xff\xfe no UTF-8",
                                         "\xC3\xA9t\xC3\xA9",
                                         "$(touch x) `y` \"z\" \\n",
                                         "=name",
                                         "~",
                                         "a;b&c|d",
                                         "\x1b[31m\x7f"};

ProgramOptions in(const std::string& folder) {
  ProgramOptions options;
  options.folder = folder;
  return options;
}

/// What stands behind `label` in a line of the output.
std::string after(const std::string& label, const std::string& out) {
  for (const std::string& line : lines_of(out)) {
    if (line.rfind(label, 0) == 0) return line.substr(label.size());
  }
  return {};
}

/// Runs a command that the program printed, in a shell. Returns its exit code and output.
ProgramResult run_in_shell(const std::string& command, const TemporaryFolder& folder) {
  fs::create_directories(folder.path(".bin"));
  if (!fs::exists(folder.path(".bin/diagrad"))) {
    fs::create_symlink(fs::canonical(DIAGRAD_PROGRAM), folder.path(".bin/diagrad"));
  }
  const std::string script =
      "cd '" + folder.path() + "' || exit\nPATH=$PWD/.bin:$PATH\n" + command + "\n";
  const std::string file = folder.write(".script", {script.begin(), script.end()});
  const int status = std::system(("bash '" + file + "' >'" + file + ".log' 2>&1").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 255, text_of(file + ".log"), {}};
}

TEST_CASE("a run folder may have any name, and the commands that are printed work in a shell") {
  const TemporaryFolder folder;
  bool is_joined = false;
  for (const std::string& name : kNames) {
    CAPTURE(name);
    is_joined = !is_joined;
    const Words words = joined(small_train("unused", {"--max-steps", "2"}),
                               is_joined ? Words{"--out=" + name} : Words{"--out", name});
    const ProgramResult run = run_program(words, in(folder.path()));
    CHECK(run.err.empty());
    REQUIRE(run.code == 0);
    CHECK(fs::exists(folder.path(name) + "/result.json"));
    // One line each, which moves no cursor.
    CHECK(run.out.find('\x1b') == std::string::npos);
    const ProgramResult more = run_in_shell(after("go on        ", run.out), folder);
    CAPTURE(more.out);
    REQUIRE(more.code == 0);
    CHECK(text_of(folder.path(name) + "/result.json").find("\"steps\": 3") != std::string::npos);
    const ProgramResult tested = run_in_shell(after("next         ", more.out), folder);
    CAPTURE(tested.out);
    CHECK(tested.code == 0);
    CHECK(tested.out.find(" of 16 test images") != std::string::npos);
    for (const char* command : {"eval", "report"}) {
      CHECK(run_program({command, "--", name}, in(folder.path())).code == 0);
    }
    fs::remove_all(folder.path(name));
  }
  // Nothing else was made, by a name that a shell took for a command.
  CHECK_FALSE(fs::exists(folder.path("x")));
  CHECK_FALSE(fs::exists(folder.path("unused")));
}

TEST_CASE("a data folder may have any name, also for the commands and files of its run") {
  const TemporaryFolder folder;
  for (const std::string& name : kNames) {
    CAPTURE(name);
    folder.write(name + "/data_batch_1.bin", cifar_records(12, 10));
    folder.write(name + "/test_batch.bin", cifar_records(8, 10));
    const ProgramResult run =
        run_program(small_train("run", {"--data", name, "--max-steps", "1"}), in(folder.path()));
    CHECK(run.err.empty());
    REQUIRE(run.code == 0);
    const ProgramResult more = run_in_shell(after("go on        ", run.out), folder);
    CAPTURE(more.out);
    CHECK(more.code == 0);
    CHECK(text_of(folder.path("run/result.json")).find("\"steps\": 2") != std::string::npos);
    CHECK(run_program({"eval", "run"}, in(folder.path())).code == 0);
    fs::remove_all(folder.path("run"));
    fs::remove_all(folder.path(name));
  }
}

TEST_CASE("files may have any name: a config, logits, a checkpoint") {
  const TemporaryFolder folder;
  make_small_run(folder.path("run"), {"--max-steps", "1"});
  for (const std::string& name : kNames) {
    CAPTURE(name);
    fs::copy_file(folder.path("run/config.toml"), folder.path(name));
    CHECK(run_program({"train", "--print-config", "--config", name}, in(folder.path())).code == 0);
    CHECK(run_program({"eval", "run", "--save-logits", name}, in(folder.path())).code == 0);
    fs::remove(folder.path(name));
    fs::copy_file(folder.path("run/checkpoints/last.safetensors"), folder.path(name));
    CHECK(run_program({"eval", "--", name}, in(folder.path())).code == 0);
    fs::remove(folder.path(name));
  }
}

TEST_CASE("an error that names a file is one line") {
  const TemporaryFolder folder;
  for (const std::string& name : kNames) {
    CAPTURE(name);
    CHECK(refuses({"eval", "--", name}, 5, "", in(folder.path())));
    CHECK(refuses({"train", "--config", name}, 2, "", in(folder.path())));
  }
}

TEST_CASE("an empty value behind the equals sign is that value, not the next word") {
  const ProgramResult result =
      run_program({"train", "--print-config", "--out=", "--sharing=", "--epochs", "7"});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.out.find("\nout = \"\"\n") != std::string::npos);
  CHECK(result.out.find("\nepochs = 7\n") != std::string::npos);
  CHECK(refuses({"models", "", ""}, 2, "'' is one word too many"));
}

TEST_CASE("--resume auto goes on with the run that began last, in whatever time zone") {
  const TemporaryFolder folder;
  const Words words = small_train("", {"--max-steps", "1", "--json"});
  std::string newest;
  // Half a day ahead of UTC, then half a day behind it: the names say the reverse.
  for (const char* zone : {"AHEAD-12", "BEHIND+12"}) {
    ProgramOptions options = in(folder.path());
    options.environment = {{"TZ", zone}};
    const ProgramResult run = run_program(words, options);
    REQUIRE(run.code == 0);
    const std::string made = nlohmann::json::parse(run.out)["folder"];
    CHECK((newest.empty() || made < newest));
    newest = made;
    fs::remove(folder.path(newest) + "/result.json");
  }
  const ProgramResult plan =
      run_program(joined(words, {"--resume", "auto", "--dry-run"}), in(folder.path()));
  CHECK(nlohmann::json::parse(plan.out)["folder"] == newest);
}

}  // namespace
}  // namespace diagrad::testing
