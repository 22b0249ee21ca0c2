#include "diagrad/core/dtype.h"

#include <fmt/format.h>

#include <array>

namespace diagrad {
namespace {

struct Entry {
  std::string_view name;
  int64_t size;
};
constexpr std::array<Entry, 6> kEntries{
    {{"f32", 4}, {"f64", 8}, {"bf16", 2}, {"i64", 8}, {"i32", 4}, {"u8", 1}}};

}  // namespace

int64_t size_of(DType dtype) {
  return kEntries[static_cast<size_t>(dtype)].size;
}

std::string_view name(DType dtype) {
  return kEntries[static_cast<size_t>(dtype)].name;
}

DType parse_dtype(std::string_view text) {
  for (size_t i = 0; i < kEntries.size(); ++i) {
    if (kEntries[i].name == text) return static_cast<DType>(i);
  }
  fail(ErrorKind::usage, "unknown dtype '{}'; one of f32, f64, bf16, i64, i32, u8", text);
}

}  // namespace diagrad

auto fmt::formatter<diagrad::DType>::format(diagrad::DType dtype, format_context& context) const
    -> format_context::iterator {
  return fmt::formatter<fmt::string_view>::format(diagrad::name(dtype), context);
}
