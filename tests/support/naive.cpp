#include "tests/support/naive.h"

#include <cmath>

namespace diagrad::testing {

Index index_at(const Shape& shape, int64_t position) {
  Index index(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<size_t>(axis)] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

double value_at(const Tensor& x, const Index& index) {
  int64_t position = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    position = position * x.shape()[axis] + index[static_cast<size_t>(axis)];
  }
  switch (x.dtype()) {
    case DType::u8:
      return static_cast<double>(x.data<uint8_t>()[position]);
    case DType::i64:
      return static_cast<double>(x.data<int64_t>()[position]);
    default:
      return x.data<double>()[position];
  }
}

double broadcast_value(const Tensor& x, const Index& index) {
  const size_t skipped = index.size() - static_cast<size_t>(x.rank());
  Index own(index.begin() + static_cast<std::ptrdiff_t>(skipped), index.end());
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.shape()[axis] == 1) own[static_cast<size_t>(axis)] = 0;
  }
  return value_at(x, own);
}

Tensor tensor_of(const Shape& shape, const std::function<double(const Index&)>& value) {
  const Tensor result = Tensor::empty(shape, DType::f64);
  for (int64_t i = 0; i < result.numel(); ++i) {
    result.data<double>()[i] = value(index_at(shape, i));
  }
  return result;
}

Tensor away_from(const Tensor& x, std::initializer_list<double> kinks, double gap) {
  for (int64_t i = 0; i < x.numel(); ++i) {
    double& value = x.data<double>()[i];
    for (const double kink : kinks) {
      if (std::abs(value - kink) < gap) value = kink + gap;
    }
  }
  return x;
}

}  // namespace diagrad::testing
