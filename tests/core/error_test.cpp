#include "diagrad/core/error.h"

#include <doctest/doctest.h>

#include "diagrad/core/device.h"
#include "diagrad/core/kernel_table.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

template <typename Action>
ErrorKind kind_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  FAIL("nothing was thrown");
  return ErrorKind::internal;
}

TEST_CASE("a check throws a usage error with the values, and builds no text while it holds") {
  int built = 0;
  const auto counted = [&](int value) {
    ++built;
    return value;
  };
  DG_CHECK(built == 0, "never {}", counted(1));
  CHECK(built == 0);
  const auto failing = [&] { DG_CHECK(built < 0, "op: got {}, expected 1", counted(5)); };
  CHECK(error_message(failing) == "op: got 5, expected 1");
  CHECK(kind_of(failing) == ErrorKind::usage);
}

TEST_CASE("a broken invariant says that it is a bug, and where") {
  const auto failing = [] { DG_ASSERT(1 + 1 == 3, "sum: {} and {}", 1, 1); };
  const std::string text = error_message(failing);
  CHECK(text.find("sum: 1 and 1 (error_test.cpp:") == 0);
  CHECK(text.find("1 + 1 == 3 does not hold; this is a bug in diagrad)") != std::string::npos);
  CHECK(kind_of(failing) == ErrorKind::internal);
}

TEST_CASE("a message is one line of moderate length, whatever the names in it hold") {
  const auto told = [](const std::string& text) {
    return error_message([&] { fail(ErrorKind::data, "{}", text); });
  };
  CHECK(told("two\nlines\tand\r\x1b[31m\x7f") == "two\\nlines\\tand\\x0d\\x1b[31m\\x7f");
  CHECK(told("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(told(std::string(8192, 'x')).size() == 8192);
  CHECK(told(std::string(1 << 20, 'x')).size() == 8192 + 3);
}

TEST_CASE("fail carries its kind") {
  for (const ErrorKind kind : {ErrorKind::internal, ErrorKind::usage, ErrorKind::data,
                               ErrorKind::diverged, ErrorKind::checkpoint, ErrorKind::device}) {
    CHECK(kind_of([&] { fail(kind, "text"); }) == kind);
  }
}

void doubled(int x, int& y) {
  y = 2 * x;
}

TEST_CASE("an empty kernel slot names the operation and the device") {
  KernelTable<void(int, int&)> table("gelu");
  CHECK_FALSE(table.has(DeviceType::cpu));
  CHECK(table.set(DeviceType::cpu, doubled));
  int y = 0;
  table.on(kCpu)(4, y);
  CHECK(y == 8);
  const auto failing = [&] { table.on({DeviceType::cuda, 0}); };
  CHECK(error_message(failing) == "gelu: has no kernel for device cuda:0");
  CHECK(kind_of(failing) == ErrorKind::device);
}

TEST_CASE("devices are spelled cpu, cuda and cuda:n") {
  CHECK(parse_device("cpu") == kCpu);
  CHECK(kCpu.str() == "cpu");
  CHECK(Device{DeviceType::cuda, 2}.str() == "cuda:2");
  CHECK(kind_of([] { parse_device("gpu"); }) == ErrorKind::usage);
  CHECK(kind_of([] { parse_device("cuda:x"); }) == ErrorKind::usage);
  if (!built_with_cuda()) CHECK(kind_of([] { parse_device("cuda:1"); }) == ErrorKind::device);
}

}  // namespace
}  // namespace diagrad
