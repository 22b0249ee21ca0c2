#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include "diagrad/core/error.h"
#include "tests/readers/reader_case.h"
#include "tests/support/mutator.h"

namespace diagrad::testing {
namespace {

using Clock = std::chrono::steady_clock;

/// How many times as many inputs as usual: DIAGRAD_DAMAGES.
int times() {
  const char* text = std::getenv("DIAGRAD_DAMAGES");
  return text == nullptr ? 1 : std::atoi(text);
}

TEST_CASE("every reader takes its whole examples") {
  CHECK(reader_cases().size() > 15);
  for (const ReaderCase& reader : reader_cases()) {
    for (const std::string& example : reader.examples()) {
      INFO(reader.name);
      CHECK(reads(reader, example));
    }
  }
}

TEST_CASE("what is damaged on purpose is read or refused in one line, and soon") {
  for (const ReaderCase& reader : reader_cases()) {
    Mutator mutator(reader.name, reader.examples());
    int taken = 0;
    for (int i = 0; i < reader.damages * times(); ++i) {
      const std::string input = mutator.next();
      INFO(reader.name << ", input " << i);
      const auto start = Clock::now();
      taken += reads(reader, input) ? 1 : 0;
      // Generous, for sanitizers and busy machines: what must not be there takes minutes.
      CHECK(Clock::now() - start < std::chrono::seconds(10));
    }
    INFO(reader.name);
    CHECK(taken > 0);
  }
}

TEST_CASE("the suite of damages sees a reader that fails in other ways") {
  const auto reader = [](std::function<void()> act) {
    return ReaderCase{"bad", [] { return std::vector<std::string>{"x"}; },
                      [act = std::move(act)](const std::string&) { act(); }};
  };
  CHECK(reads(reader([] {}), ""));
  CHECK_FALSE(reads(reader([] { fail(ErrorKind::data, "one\nline"); }), ""));
  CHECK_THROWS_AS(reads(reader([] { fail(ErrorKind::data, "{}", ""); }), ""), std::logic_error);
  CHECK_THROWS_AS(reads(reader([] { throw std::out_of_range("x"); }), ""), std::out_of_range);
}

TEST_CASE("damages are the same everywhere and differ from one another") {
  const std::vector<std::string> examples = {R"({"epochs": 15, "names": ["a", "b"]})", "key = 1"};
  Mutator first("test", examples);
  Mutator second("test", examples);
  std::string last;
  int different = 0;
  int long_ones = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string input = first.next();
    CHECK(input == second.next());
    different += input != last ? 1 : 0;
    long_ones += input.size() > 1000 ? 1 : 0;
    CHECK(input.size() <= size_t{1} << 18);
    last = input;
  }
  CHECK(different > 290);
  CHECK(long_ones > 10);
  CHECK_FALSE(Mutator("test", examples).changed("").empty());
}

}  // namespace
}  // namespace diagrad::testing
