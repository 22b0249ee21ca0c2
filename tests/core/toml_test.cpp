#include "diagrad/core/toml.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

std::string complaint(const std::string& text) {
  return error_message([&] { parse_toml(text, "run.toml"); });
}

std::vector<std::string> value_of(const std::string& text) {
  return parse_toml("key = " + text, "run.toml").at(0).values;
}

TEST_CASE("values of a config file are read as TOML means them") {
  CHECK(value_of("15") == std::vector<std::string>{"15"});
  CHECK(value_of("-1.5e-4  # why") == std::vector<std::string>{"-0.00015"});
  CHECK(value_of("10_000") == std::vector<std::string>{"10000"});
  CHECK(value_of("true") == std::vector<std::string>{"true"});
  CHECK(value_of(R"("a # \"b\" \\ \u00e9")") == std::vector<std::string>{"a # \"b\" \\ \xC3\xA9"});
  CHECK(value_of(R"('C:\new')") == std::vector<std::string>{"C:\\new"});
  CHECK(value_of("[]").empty());
  CHECK(value_of("[60, 120]") == std::vector<std::string>{"60", "120"});
  CHECK(value_of("[ # first\n \"a,b\",\n 'c', ]\r\n") == std::vector<std::string>{"a,b", "c"});
}

TEST_CASE("a setting knows where it stands") {
  const auto settings = parse_toml("# note\n\na = 1\r\n'b-c' = [1]\nd=2", "run.toml");
  REQUIRE(settings.size() == 3);
  CHECK(settings[0].where == "run.toml:3: a");
  CHECK_FALSE(settings[0].is_list);
  CHECK(settings[1].name == "b-c");
  CHECK(settings[1].is_list);
  CHECK(settings[2].values == std::vector<std::string>{"2"});
}

TEST_CASE("a byte order mark and ends of lines as on Windows are accepted") {
  const auto settings = parse_toml(
      "\xEF\xBB\xBF"
      "a = 1\r\nb = \"x\"\r\n",
      "run.toml");
  REQUIRE(settings.size() == 2);
  CHECK(settings[1].values == std::vector<std::string>{"x"});
}

TEST_CASE("what is no flat TOML is refused with its line") {
  CHECK(complaint("\n[train]\nepochs = 3") ==
        "run.toml:2: keys are flat here, leave out tables such as [train]");
  CHECK(complaint("a = 2020-01-01").find("run.toml:1: a: expected a text, a number") == 0);
  CHECK(complaint("m = [[1]]").find("run.toml:1: m: expected a text, a number") == 0);
  for (const char* text :
       {"a = 1\n\nepochs 3", "a = 1\n\n= 3", "a = 1\n\nepochs =", "a = 1\n\nepochs = 3 4",
        "a = 1\n\nmodel = resnet20", "a = 1\n\nmodel = \"resnet20", "a = 1\n\na = 2",
        "a = 1\n\nm = [1, 2", R"(a = 1

m = "\q")",
        R"(a = 1

m = "\ud800")"}) {
    const std::string message = complaint(text);
    CHECK_MESSAGE(message.rfind("run.toml:3: ", 0) == 0, text << " gives: " << message);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a table header without a key is refused with its line, it does not end the program") {
  for (const char* header : {"[[[", "[ =]", "[[ {", "[[\xC3\xA9]]", "[#]", "[ [a]]"}) {
    const std::string message = complaint("a = 1\n\n  " + std::string(header) + "\nb = 2");
    CHECK_MESSAGE(message.rfind("run.toml:3: ", 0) == 0, header << " gives: " << message);
  }
}

TEST_CASE("a letter beyond ASCII outside of quotes and comments is refused with its line") {
  for (const char* text : {"\xC3\xA9 = 1", "a = \xC3\xA9", "a = 1 \xEF\xB9\xA0", "[\xD0\xB6]",
                           "b = \"\"\"x\\\n  \xC3\xA9\"\"\"", "a = '\\' \xC3\xA9"}) {
    const std::string message = complaint("# \xC3\xA9\nt = \"\xC3\xA9\"\n" + std::string(text));
    const std::string line = std::string(text)[0] == 'b' ? "4" : "3";
    CHECK(message ==
          "run.toml:" + line + ": a letter beyond ASCII outside of quotes; put the text in quotes");
  }
  CHECK(value_of("'\xC3\xA9\\'  # \xC3\xA9") == std::vector<std::string>{"\xC3\xA9\\"});
  CHECK(value_of("\"\"\"\\\\\xC3\xA9\"\"\"") == std::vector<std::string>{"\\\xC3\xA9"});
  CHECK(parse_toml("\xEF\xBB\xBF\"\xC3\xA9\" = 1", "run.toml").at(0).name == "\xC3\xA9");
}

TEST_CASE("messages repeat little of a text and stay one line") {
  CHECK(complaint("\"a\\nb\" = 1\n\"a\\nb\" = 2").find('\n') == std::string::npos);
  CHECK(complaint("a = x" + std::string(100000, 'y')).size() < 300);
  CHECK(complaint(std::string(100000, 'k') + " = 1\n" + std::string(100000, 'k') + " = 1").size() <
        300);
}

/// Processor seconds for a config of `count` keys.
double seconds_to_read(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "k" + std::to_string(i) + "=1\n";
  const std::clock_t start = std::clock();
  CHECK(parse_toml(text, "run.toml").size() == static_cast<size_t>(count));
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST_CASE("a config of as many keys as fit takes time in proportion to them") {
  const double few = seconds_to_read(12'000);
  const double many = seconds_to_read(96'000);
  CAPTURE(few);
  CAPTURE(many);
  CHECK(many < 32.0 * std::max(few, 1e-3));  // of a search for each key it would be 64
}

TEST_CASE("a config file that cannot be read is refused") {
  const testing::TemporaryFolder folder;
  const auto read = [](const std::string& path) { return error_message([&] { read_toml(path); }); };
  CHECK(read(folder.path("none.toml")) ==
        "config: " + folder.path("none.toml") + ": cannot read: No such file or directory");
  CHECK(read(folder.path()).find("is a folder, expected a file") != std::string::npos);
  const std::string large = folder.write("large.toml", std::vector<uint8_t>((1 << 20) + 1, '\n'));
  CHECK(read(large) ==
        "config: " + large +
            ": has 1048577 bytes, more than the 1048576 that are read of such a file");
  const std::string pipe = folder.path("pipe.toml");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read(pipe) == "config: " + pipe + ": is not a regular file");
}

}  // namespace
}  // namespace diagrad
