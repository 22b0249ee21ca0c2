#include <doctest/doctest.h>

#include <filesystem>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Places that cannot be written to, from the start or at some moment. Tests may run as root, who is
// refused nothing by permissions: a file stands where a folder should be, and a limit on the size
// of files stands for a full disk.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

ProgramOptions with_limit(int64_t bytes) {
  ProgramOptions options;
  options.largest_file = bytes;
  return options;
}

std::string last_of(const std::string& run) {
  return run + "/checkpoints/last.safetensors";
}

TEST_CASE("a run folder that cannot be made is refused before any work") {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", {1, 2, 3});
  for (const std::string& out : {file, file + "/run", file + "/deep/run"}) {
    CHECK(
        refuses(small_train(out), 2,
                "--out: " + out + " cannot be made: Not a directory; choose another folder with"));
  }
  CHECK(contents(folder.path()).size() == 1);
}

TEST_CASE("a folder that takes no files is refused before any work, also for root") {
  CHECK(refuses(small_train("/proc/diagrad-run"), 2,
                "--out: /proc/diagrad-run cannot be made: No such file or directory; choose"));
  CHECK(refuses(small_train("/proc/self"), 2,
                "--out: cannot write to /proc/self: No such file or directory; choose another"));
  CHECK(refuses(small_train("/proc/diagrad-runs", {"--runs", "2", "--quiet"}), 2,
                "--out: /proc/diagrad-runs/seed-0 cannot be made: "));
}

TEST_CASE("logits that cannot be written are refused before any work") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  CHECK(refuses({"eval", out, "--save-logits", folder.path("none/x")}, 2,
                "save-logits: " + folder.path("none/x") + ": cannot write: No such file"));
  CHECK(
      refuses({"eval", out, "--save-logits", out}, 2, "is a folder, expected the name of a file"));
  CHECK(refuses({"eval", out, "--save-logits", folder.path("x")}, 5, "cannot write: File too large",
                with_limit(500)));
  CHECK_FALSE(fs::exists(folder.path("x")));
  CHECK(contents(out) == before);
}

TEST_CASE("a disk that is full at any moment ends the run in one line") {
  const TemporaryFolder folder;
  int failed = 0;
  const int64_t size = [&] {
    const std::string out = folder.path("whole");
    make_small_run(out);
    return static_cast<int64_t>(fs::file_size(last_of(out)));
  }();
  for (const int64_t bytes : {int64_t{0}, int64_t{100}, int64_t{700}, int64_t{3000}, size / 2}) {
    const std::string out = folder.path("run" + std::to_string(bytes));
    ProgramResult result = run_program(small_train(out), with_limit(bytes));
    // The page is no part of the result: that it could not be written is a note.
    while (result.err.rfind("diagrad: note: no report: ", 0) == 0) {
      result.err.erase(0, result.err.find('\n') + 1);
    }
    CHECK(is_refusal(result, 5, ": cannot "));
    CHECK_FALSE(fs::exists(last_of(out)));
    ++failed;
    // With room again, the same command with --resume auto does the whole of it.
    make_small_run(out, {"--resume", "auto"});
    CHECK(text_of(last_of(out)) == text_of(last_of(folder.path("whole"))));
  }
  CHECK(failed == 5);
}

TEST_CASE("a disk that is full later leaves the checkpoint before it, from which the run goes on") {
  const TemporaryFolder folder;
  const Words two = {"--epochs", "2"};
  const std::string straight = folder.path("straight");
  make_small_run(straight, two);
  const std::string out = folder.path("run");
  make_small_run(out, joined(two, {"--max-steps", "3"}));
  const std::string first = text_of(last_of(out));
  const ProgramOptions full = with_limit(static_cast<int64_t>(first.size()) - 1);
  CHECK(fails(small_train(out, joined(two, {"--resume", "auto"})), 5,
              "last.safetensors: cannot write: File too large; the checkpoint of step 3 is whole; "
              "make room and go on with --resume auto",
              full));
  CHECK(text_of(last_of(out)) == first);
  make_small_run(out, joined(two, {"--resume", "auto"}));
  CHECK(text_of(last_of(out)) == text_of(last_of(straight)));
  CHECK(events_of(out) == events_of(straight));
}

TEST_CASE("output that nobody can read does not end a training, nor hide its end") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  ProgramOptions options;
  options.output_file = "/dev/full";
  CHECK(refuses(small_train(out), 1, "cannot write to standard output: No space left", options));
  CHECK(fs::exists(out + "/result.json"));
}

TEST_CASE("a run that diverges says so, with what is kept") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  CHECK(fails(small_train(out, {"--lr", "1e30"}), 4, "; there is no checkpoint yet"));
  CHECK(contents(out).count(last_of(out)) == 0);
}

}  // namespace
}  // namespace diagrad::testing
