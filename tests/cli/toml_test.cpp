#include "diagrad/train/cli/toml.h"

#include <doctest/doctest.h>

#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::cli {
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
  CHECK(value_of("-1.5e-4  # why") == std::vector<std::string>{"-1.5e-4"});
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

TEST_CASE("what is no flat TOML is refused with its line") {
  CHECK(complaint("[train]\nepochs = 3") ==
        "run.toml:1: keys are flat here, leave out tables such as [train]");
  CHECK(complaint("epochs = 3\nepochs = 4") == "run.toml:2: epochs is given twice");
  CHECK(complaint("epochs 3") == "run.toml:1: expected key = value, got '3'");
  CHECK(complaint("= 3") == "run.toml:1: expected key = value, got '= 3'");
  CHECK(complaint("epochs =\n") == "run.toml:1: expected a value, got ''");
  CHECK(complaint("epochs = 3 4") == "run.toml:1: '4' follows the value");
  CHECK(complaint("model = resnet20") ==
        "run.toml:1: 'resnet20' is no number; texts stand in quotes: \"resnet20\"");
  CHECK(complaint("\nmodel = \"resnet20\nlr = 1") == "run.toml:2: a string has no closing \"");
  CHECK(complaint("m = [1, 2\n\nlr = 1") ==
        "run.toml:3: expected , or ] in the list, got 'lr = 1'");
  CHECK(complaint("m = [1,") == "run.toml:1: the list that begins in line 1 has no ]");
  CHECK(complaint("m = [[1]]") == "run.toml:1: expected a value, got '[1]]'");
  CHECK(complaint(R"(m = "\q")") == R"(run.toml:1: \q is no escape of a string)");
  CHECK(complaint(R"(m = "\ud800")") == R"(run.toml:1: \ud800 is no character)");
  CHECK(complaint(R"(m = "\u12)") == R"(run.toml:1: \u12 is no character)");
}

TEST_CASE("any cut of a config file is read or refused, never worse") {
  const std::string text = "a = \"x\\u00e9\\n\" # c\nb = [ 'y', 2,\n 3 ]\nc = -1.5\n";
  for (size_t size = 0; size <= text.size(); ++size) complaint(text.substr(0, size));
  for (size_t place = 0; place < text.size(); ++place) {
    std::string broken = text;
    broken[place] = '\xff';
    complaint(broken);
  }
}

TEST_CASE("a config file that cannot be read is refused") {
  const testing::TemporaryFolder folder;
  const auto read = [](const std::string& path) { return error_message([&] { read_toml(path); }); };
  CHECK(read(folder.path("none.toml")) ==
        "config: cannot open " + folder.path("none.toml") + ": No such file or directory");
  CHECK(read(folder.path()).find("is a folder, expected a file") != std::string::npos);
  const std::string large = folder.write("large.toml", std::vector<uint8_t>((1 << 20) + 1, '\n'));
  CHECK(read(large).find("is larger than 1048576 bytes") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::cli
