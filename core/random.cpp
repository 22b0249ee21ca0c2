#include "diagrad/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/philox.h"

namespace diagrad {

uint64_t RandomStream::next_bits() {
  const Philox4 words = philox4x32(seed_, stream_, counter_++);
  return (static_cast<uint64_t>(words.word[0]) << 32) | words.word[1];
}

double RandomStream::uniform() {
  return static_cast<double>(next_bits() >> 11) * 0x1p-53;
}

double RandomStream::normal() {
  const Philox4 words = philox4x32(seed_, stream_, counter_++);
  const double radius_input = 1.0 - uniform_double(words.word[0], words.word[1]);  // in (0, 1]
  const double angle = uniform_double(words.word[2], words.word[3]);
  return std::sqrt(-2.0 * std::log(radius_input)) * std::cos(2.0 * std::numbers::pi * angle);
}

int64_t RandomStream::below(int64_t bound) {
  DG_CHECK(bound >= 1, "random: bound {} is below 1", bound);
  __extension__ using Wide = unsigned __int128;
  return static_cast<int64_t>((static_cast<Wide>(next_bits()) * static_cast<uint64_t>(bound)) >>
                              64);
}

uint64_t stream_id(std::string_view purpose, uint64_t a, uint64_t b) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      hash = (hash ^ ((value >> (8 * i)) & 0xffU)) * 0x100000001b3ULL;
    }
  };
  for (const char letter : purpose) mix(static_cast<unsigned char>(letter), 1);
  mix(a, 8);
  mix(b, 8);
  return hash;
}

namespace {

template <typename Draw>
Tensor filled(const Shape& shape, DType dtype, Draw draw) {
  Tensor result = Tensor::empty(shape, dtype);
  dispatch_floating(dtype, "random", [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* data = result.data<T>();
    for (int64_t i = 0; i < result.numel(); ++i) data[i] = static_cast<T>(draw());
  });
  return result;
}

}  // namespace

Tensor uniform(const Shape& shape, double low, double high, RandomStream& random, DType dtype) {
  return filled(shape, dtype, [&] { return random.uniform(low, high); });
}

Tensor normal(const Shape& shape, double mean, double standard_deviation, RandomStream& random,
              DType dtype) {
  return filled(shape, dtype, [&] { return mean + standard_deviation * random.normal(); });
}

std::vector<int64_t> permutation(int64_t size, RandomStream& random) {
  DG_CHECK(size >= 0, "permutation: size {} is negative", size);
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = size - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  }
  return order;
}

}  // namespace diagrad
