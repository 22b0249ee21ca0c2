#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "diagrad/core/tensor.h"

namespace diagrad {
namespace {

constexpr int64_t kEdge = 3;

std::string element(int64_t value) {
  return fmt::format("{}", value);
}

std::string element(double value) {
  const double magnitude = std::abs(value);
  const bool scientific = magnitude != 0.0 && (magnitude < 1e-4 || magnitude >= 1e6);
  return scientific ? fmt::format("{:.4e}", value) : fmt::format("{:.4f}", value);
}

template <typename T>
void append(std::string& text, const T* data, const Shape& shape, int axis, int indent) {
  if (axis == shape.rank()) {
    text += element(*data);
    return;
  }
  const int64_t size = shape[axis];
  const int64_t step = shape.numel(axis + 1, shape.rank());
  const bool last_axis = axis == shape.rank() - 1;
  text += '[';
  for (int64_t i = 0; i < size; ++i) {
    if (i > 0) text += last_axis ? ", " : ",\n" + std::string(static_cast<size_t>(indent + 1), ' ');
    if (size > 2 * kEdge && i == kEdge) {
      text += "...";
      i = size - kEdge - 1;
      continue;
    }
    append(text, data + i * step, shape, axis + 1, indent + 1);
  }
  text += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "tensor(undefined)";
  constexpr std::string_view kPrefix = "tensor(";
  constexpr int kIndent = static_cast<int>(kPrefix.size());
  std::string text(kPrefix);
  if (is_floating(tensor.dtype())) {
    const Tensor values = tensor.to(DType::f64).contiguous();
    append(text, values.data<double>(), values.shape(), 0, kIndent);
  } else {
    const Tensor values = tensor.to(DType::i64).contiguous();
    append(text, values.data<int64_t>(), values.shape(), 0, kIndent);
  }
  return text + fmt::format(", {} {})", tensor.dtype(), tensor.shape());
}

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) {
  return stream << to_string(tensor);
}

}  // namespace diagrad
