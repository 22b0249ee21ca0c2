#include <doctest/doctest.h>
#include <fmt/format.h>

#include <clocale>
#include <cstdlib>
#include <locale>
#include <nlohmann/json.hpp>

#include "diagrad/core/option.h"
#include "diagrad/core/process.h"
#include "diagrad/core/toml.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/run/run_folder.h"
#include "tests/data/support.h"

// A program may set a locale before it calls the library: numbers are written and read the same.

namespace diagrad::train {
namespace {

using testing::TemporaryFolder;
using testing::text_of;

/// 1.234.567,89
class German : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// A locale with decimal commas for C and C++, until the end of the scope.
class CommaLocale {
 public:
  CommaLocale() : before_(std::locale::global(std::locale(std::locale::classic(), new German))) {}
  ~CommaLocale() {
    std::setlocale(LC_ALL, "C");
    std::locale::global(before_);
  }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;

  /// Makes the C locale, too, where the system's sources of locales are installed.
  bool set_c_locale(const TemporaryFolder& folder) const {
    const std::string path = folder.path("de_DE.UTF-8");
    const std::string make = "localedef -i de_DE -f UTF-8 '" + path + "' >/dev/null 2>&1";
    if (std::system(make.c_str()) != 0) return false;
    setenv("LOCPATH", folder.path().c_str(), 1);
    const bool is_set = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
    unsetenv("LOCPATH");
    return is_set && *std::localeconv()->decimal_point == ',';
  }

 private:
  std::locale before_;
};

/// Everything that a run writes and reads as text with numbers in it.
std::string written(const TemporaryFolder& folder, const std::string& name) {
  Options options;
  options.out = folder.path(name);
  options.lr = 0.0125;
  options.weight_decay = 1e-300;
  options.max_steps = 1234567;
  const RowLayout layout{{{.name = "loss"}}, "test", false};
  {
    RunFolder run(options);
    run.start(options, layout, 0);
    run.add(StepRow{.step = 1, .metrics = {{"loss", 1.0 / 3.0}}, .lr = 0.5, .seconds = 1.25});
    run.add(EpochRow{.epoch = 1,
                     .step = 1,
                     .lr = 0.5,
                     .train = {{"loss", 1234567.5}},
                     .seconds = 1.25,
                     .images_per_second = 1234567.5});
    run.flush();
  }
  const std::string text = text_of(options.out + "/config.toml") +
                           text_of(options.out + "/events.jsonl") +
                           text_of(options.out + "/metrics.csv");
  options.resume = "auto";
  RunFolder again(options);
  again.start(options, layout, 1);
  return text + fmt::format("{} {}", again.seconds_before(), again.rate_before());
}

std::string read() {
  std::string text;
  for (const Setting& setting : parse_toml("a = 0.5\nb = 1.5e-3\nc = 1234567.25", "x")) {
    text += setting.values.front() + "\n";
  }
  text += fmt::format("{} {}\n", parse_float("x", "0.25"), parse_int("x", "1234567"));
  const Options options = options_from_json(R"({"lr": 0.125, "max-steps": 1234567})");
  text += to_json(options);
  return text + nlohmann::json::parse("[0.1, 1234567.5, 1e-7]").dump();
}

TEST_CASE("numbers are written and read the same in a locale with decimal commas") {
  const TemporaryFolder folder;
  const std::string plain = written(folder, "plain") + read();
  CHECK(plain.find("lr = 0.0125") != std::string::npos);
  CHECK(plain.find("1.25 1234567.5") != std::string::npos);
  const CommaLocale locale;
  CHECK(written(folder, "cpp") + read() == plain);
  CHECK(seconds_since_process_start().value_or(1.0) < 1e6);
  if (!locale.set_c_locale(folder)) {
    testing::count_skip("no sources of locales here (Debian: locales)");
    return;
  }
  CHECK(written(folder, "c") + read() == plain);
}

TEST_CASE("a folder's name does not depend on the locale") {
  Options options;
  options.data = "\xE4\xDF I i";
  options.attention = "none";
  CHECK(run_name(options) == "resnet20-none----I-i");
}

}  // namespace
}  // namespace diagrad::train
