#include "diagrad/core/dtype.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "diagrad/core/half.h"
#include "diagrad/core/philox.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

constexpr DType kAll[] = {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8};

TEST_CASE("dtypes have names, sizes and one parser") {
  const int64_t sizes[] = {4, 8, 2, 8, 4, 1};
  for (size_t i = 0; i < std::size(kAll); ++i) {
    CHECK(size_of(kAll[i]) == sizes[i]);
    CHECK(parse_dtype(name(kAll[i])) == kAll[i]);
    CHECK(is_floating(kAll[i]) == (i < 3));
    const int64_t bytes = dispatch_all(kAll[i], [](auto tag) {
      return static_cast<int64_t>(sizeof(typename decltype(tag)::type));
    });
    CHECK(bytes == sizes[i]);
  }
  CHECK(fmt::format("{}", DType::bf16) == "bf16");
  CHECK(testing::error_message([] { parse_dtype("half"); }) ==
        "unknown dtype 'half'; one of f32, f64, bf16, i64, i32, u8");
  CHECK(testing::error_message([] { dispatch_floating(DType::bf16, "conv2d", [](auto) {}); }) ==
        "conv2d: needs an f32 or f64 tensor, got bf16");
}

/// The bf16 value nearest to x, the even one of two, by trying both neighbours in double.
double nearest_bf16(float x) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  const auto value = [](uint32_t upper) {
    // The step beyond the largest number is where infinity would be if there were one more.
    if ((upper & 0x7fffU) == 0x7f80U) return std::copysign(0x1p128, (upper >> 15) ? -1.0 : 1.0);
    return static_cast<double>(std::bit_cast<float>(upper << 16));
  };
  const uint32_t below = word >> 16;
  const double down = std::abs(static_cast<double>(x) - value(below));
  const double up = std::abs(static_cast<double>(x) - value(below + 1));
  const uint32_t chosen = down < up ? below : up < down ? below + 1 : below + (below & 1U);
  return static_cast<double>(std::bit_cast<float>(chosen << 16));
}

TEST_CASE("bf16 is f32 rounded to nearest even") {
  CHECK(bfloat16(1.0F).bits == 0x3f80);
  CHECK(bfloat16(1.00390625F).bits == 0x3f80);  // a tie: 1 is even
  CHECK(bfloat16(1.01171875F).bits == 0x3f82);  // a tie: up to even
  CHECK(bfloat16(1.00390637F).bits == 0x3f81);  // just over a tie
  CHECK(bfloat16(-0.0F).bits == 0x8000);
  for (uint64_t i = 0; i < 100000; ++i) {
    const auto x = std::bit_cast<float>(philox4x32(1, 2, i).word[0]);
    if (!std::isfinite(x)) continue;
    const double got = static_cast<double>(static_cast<float>(bfloat16(x)));
    if (got != nearest_bf16(x)) FAIL("bf16 of " << x << " is " << got);
  }
}

TEST_CASE("bf16 keeps infinities, NaN and every bf16 value") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(static_cast<float>(bfloat16(infinity)) == infinity);
  CHECK(static_cast<float>(bfloat16(-infinity)) == -infinity);
  CHECK(static_cast<float>(bfloat16(std::numeric_limits<float>::max())) == infinity);
  // A NaN whose payload sits only in the lower half must not become infinity.
  for (const uint32_t word : {0x7fc00000U, 0x7f800001U, 0xff800001U, 0x7fffffffU, 0xffffffffU}) {
    CHECK(std::isnan(static_cast<float>(bfloat16(std::bit_cast<float>(word)))));
  }
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = std::bit_cast<float>(bits << 16);
    if (std::isnan(value)) continue;
    if (bfloat16(value).bits != bits) FAIL("bf16 " << bits << " does not survive");
  }
}

TEST_CASE("every half has its value: sign, subnormal values, infinities and NaN") {
  const auto expected = [](uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const double fraction = bits & 1023;
    const double value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0 + fraction, exponent - 25);
    return (bits & 0x8000U) != 0 ? -value : value;
  };
  for (uint32_t word = 0; word <= 0xffff; ++word) {
    const auto bits = static_cast<uint16_t>(word);
    const float value = half_to_float(bits);
    if ((bits & 0x7c00U) != 0x7c00U) {
      REQUIRE(static_cast<double>(value) == expected(bits));
      REQUIRE(std::signbit(value) == ((bits & 0x8000U) != 0));
    } else if ((bits & 0x3ffU) != 0) {
      REQUIRE(std::isnan(value));
    } else {
      REQUIRE(value == ((bits & 0x8000U) != 0 ? -HUGE_VALF : HUGE_VALF));
    }
  }
}

}  // namespace
}  // namespace diagrad
