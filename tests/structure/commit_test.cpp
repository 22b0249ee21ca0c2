#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/data/support.h"

// cmake/WriteCommit.cmake, which every build runs.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;  // NOLINT(cert-env33-c)
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

/// What the script writes for a folder of sources, between the quotes.
std::string commit_of(const std::string& source, const std::string& file,
                      const std::string& more = "") {
  REQUIRE(run("cmake -DSOURCE_DIR='" + source + "' -DFILE='" + file + "' " + more + " -P '" +
              DIAGRAD_SOURCE_DIR + "/cmake/WriteCommit.cmake'"));
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const size_t begin = text.find('"') + 1;
  return text.substr(begin, text.find('"', begin) - begin);
}

TEST_CASE("a build names its commit, marks changed files, and knows whose checkout it is in") {
  const TemporaryFolder folder;
  const std::string source = folder.path("source");
  const std::string file = folder.path("commit.cpp");
  fs::create_directories(source + "/inner");
  CHECK(commit_of(source, file).empty());
  const std::string git = "git -C '" + source + "' -c user.name=n -c user.email=e ";
  if (!run("git --version")) return count_skip("no git, whose commits the test makes");
  REQUIRE(run(git + "init"));
  CHECK(commit_of(source, file).empty());  // no commit yet
  write(source + "/a", "1");
  REQUIRE(run(git + "add a"));
  REQUIRE(run(git + "commit -m first"));
  const std::string commit = commit_of(source, file);
  CHECK(commit.size() == 12);
  CHECK(commit.find_first_not_of("0123456789abcdef") == std::string::npos);

  const auto written = fs::last_write_time(file);
  write(source + "/untracked", "1");
  CHECK(commit_of(source, file) == commit);
  CHECK(fs::last_write_time(file) == written);  // nothing is compiled again
  write(source + "/a", "2");
  CHECK(commit_of(source, file) == commit + "-dirty");
  REQUIRE(run(git + "commit -a -m second"));
  CHECK(commit_of(source, file) != commit);
  CHECK(commit_of(source, file).size() == 12);

  CHECK(commit_of(source + "/inner", file).empty());
  CHECK(commit_of(source, file, "-Dgit=/nowhere/git").empty());
}

}  // namespace
}  // namespace diagrad::testing
