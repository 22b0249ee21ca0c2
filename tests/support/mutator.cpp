#include "tests/support/mutator.h"

#include <algorithm>
#include <array>
#include <utility>

namespace diagrad::testing {
namespace {

constexpr size_t kLongest = size_t{1} << 18;  // of a result

/// Bytes that mean something to one reader or another.
constexpr std::string_view kBytes("\0\x01\x7f\x80\xff\"'\\[]{}()<>,:;=#-+.eE09 \t\r\n", 32);

constexpr std::array<std::string_view, 13> kNumbers = {"0",
                                                       "-1",
                                                       "1001",
                                                       "2147483648",
                                                       "4294967296",
                                                       "9007199254740993",
                                                       "9223372036854775807",
                                                       "18446744073709551615",
                                                       "18446744073709551616",
                                                       "1e300",
                                                       "-1e300",
                                                       "1e-300",
                                                       "1e999"};

}  // namespace

Mutator::Mutator(std::string_view purpose, std::vector<std::string> examples, uint64_t seed)
    : examples_(std::move(examples)), random_(seed, stream_id(purpose)) {}

size_t Mutator::below(size_t bound) {
  return static_cast<size_t>(random_.below(static_cast<int64_t>(std::max<size_t>(bound, 1))));
}

std::string Mutator::next() {
  std::string bytes = examples_[below(examples_.size())];
  for (size_t changes = 1 + below(4); changes > 0; --changes) bytes = changed(std::move(bytes));
  return bytes;
}

std::string Mutator::stretch(const std::string& bytes, size_t longest) {
  return bytes.substr(below(bytes.size()), 1 + below(longest));
}

void Mutator::inflate_number(std::string& bytes) {
  constexpr const char* kDigits = "0123456789";
  const size_t begin = bytes.find_first_of(kDigits, below(bytes.size()));
  if (begin == std::string::npos) return;
  const size_t end = std::min(bytes.find_first_not_of(kDigits, begin), bytes.size());
  bytes.replace(begin, end - begin, kNumbers[below(kNumbers.size())]);
}

std::string Mutator::changed(std::string bytes) {
  if (bytes.empty()) return stretch(examples_[below(examples_.size())], 64);
  const size_t place = below(bytes.size());
  const std::string& other = examples_[below(examples_.size())];
  switch (below(9)) {
    case 0:
      bytes[place] = static_cast<char>(bytes[place] ^ (1 << below(8)));
      break;
    case 1:
      bytes[place] = kBytes[below(kBytes.size())];
      break;
    case 2:
      bytes.insert(place, 1, kBytes[below(kBytes.size())]);
      break;
    case 3:
      bytes.resize(place);
      break;
    case 4:
      bytes.erase(place, 1 + below(12));
      break;
    case 5:
      bytes.insert(place, stretch(bytes, 99));
      break;
    case 6:
      bytes.insert(place, stretch(other, 99));
      break;
    case 7:
      inflate_number(bytes);
      break;
    default: {  // what nests or lists without end
      const std::string part = stretch(bytes, 4);
      std::string many;
      for (size_t count = size_t{1} << below(15); count > 0; --count) many += part;
      bytes.insert(place, many);
    }
  }
  bytes.resize(std::min(bytes.size(), kLongest));
  return bytes;
}

}  // namespace diagrad::testing
