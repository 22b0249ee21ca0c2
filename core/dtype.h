#pragma once

#include <fmt/core.h>

#include <bit>
#include <cstdint>
#include <string_view>

#include "diagrad/core/error.h"

namespace diagrad {

enum class DType : uint8_t { f32, f64, bf16, i64, i32, u8 };

/// Brain floating point: the upper half of an f32, rounded to nearest even. A storage type;
/// arithmetic goes through f32.
struct bfloat16 {
  uint16_t bits = 0;

  bfloat16() = default;
  explicit bfloat16(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const bool is_nan = (word & 0x7fffffffU) > 0x7f800000U;
    bits = is_nan ? static_cast<uint16_t>((word >> 16) | 0x40U)
                  : static_cast<uint16_t>((word + 0x7fffU + ((word >> 16) & 1U)) >> 16);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

/// Bytes of one element.
int64_t size_of(DType dtype);
/// `f32`, `f64`, `bf16`, `i64`, `i32` or `u8`.
std::string_view name(DType dtype);
/// The dtype called `text` (`f32`, `f64`, ...); throws with the list of names.
DType parse_dtype(std::string_view text);
inline bool is_floating(DType dtype) {
  return dtype <= DType::bf16;
}

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <typename T>
inline constexpr DType kDTypeOf = DTypeOf<T>::value;

template <typename T>
struct TypeTag {
  using type = T;
};

/// Calls `body(TypeTag<float>{})` or `body(TypeTag<double>{})`; throws for other dtypes.
template <typename Body>
decltype(auto) dispatch_floating(DType dtype, std::string_view op, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body(TypeTag<float>{});
    case DType::f64:
      return body(TypeTag<double>{});
    default:
      break;
  }
  fail(ErrorKind::usage, "{}: needs an f32 or f64 tensor, got {}", op, name(dtype));
}

/// As dispatch_floating, over every dtype.
template <typename Body>
decltype(auto) dispatch_all(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body(TypeTag<float>{});
    case DType::f64:
      return body(TypeTag<double>{});
    case DType::bf16:
      return body(TypeTag<bfloat16>{});
    case DType::i64:
      return body(TypeTag<int64_t>{});
    case DType::i32:
      return body(TypeTag<int32_t>{});
    case DType::u8:
      return body(TypeTag<uint8_t>{});
  }
  fail(ErrorKind::internal, "unknown dtype {}", static_cast<int>(dtype));
}

}  // namespace diagrad

template <>
struct fmt::formatter<diagrad::DType> : fmt::formatter<fmt::string_view> {
  auto format(diagrad::DType dtype, format_context& context) const -> format_context::iterator;
};
