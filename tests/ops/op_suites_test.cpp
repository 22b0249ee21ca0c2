// The suites that run over every registered case: a new operation adds cases and edits nothing
// here. One case alone: DIAGRAD_OP='conv2d' (a part of "op, variant") with the test's name.
#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>

#include "tests/support/op_checks.h"

namespace diagrad::testing {
namespace {

/// Runs `check` over all cases, or those that DIAGRAD_OP names, and says how many there were.
void over_all_cases(const std::function<std::string(const OpCase&)>& check) {
  const char* part = std::getenv("DIAGRAD_OP");
  int64_t count = 0;
  int64_t left_out = 0;
  for (const OpCase& test : op_cases()) {
    const std::string name = test.op + ", " + test.variant;
    if (part != nullptr && name.find(part) == std::string::npos) {
      ++left_out;
      continue;
    }
    const std::string wrong = check(test);
    CHECK_MESSAGE(wrong.empty(), wrong << "; repeat with DIAGRAD_OP='" << name << "'");
    ++count;
  }
  MESSAGE(count << " cases, " << left_out << " left out by DIAGRAD_OP");
  CHECK(count > 0);
}

template <typename Check>
void over_both_dtypes(const Check& check) {
  over_all_cases([&](const OpCase& test) {
    const std::string wrong = check(test, DType::f64);
    return wrong.empty() ? check(test, DType::f32) : wrong;
  });
}

TEST_CASE("ops: values are those of the naive reference") {
  over_both_dtypes(check_reference);
}

TEST_CASE("ops: gradients agree with differences in double precision") {
  over_all_cases(check_gradient);
}

TEST_CASE("ops: gradients in single precision are those in double precision") {
  over_all_cases(check_f32_gradient);
}

TEST_CASE("ops: strided inputs give what contiguous ones give") {
  over_both_dtypes(check_strided);
}

TEST_CASE("ops: every element is written, and nothing beside a block") {
  over_both_dtypes(check_memory);
}

TEST_CASE("ops: a second run gives the same bits") {
  over_both_dtypes(check_repetition);
}

TEST_CASE("ops: any number of threads gives the same bits") {
  over_both_dtypes(check_threads);
}

}  // namespace
}  // namespace diagrad::testing
