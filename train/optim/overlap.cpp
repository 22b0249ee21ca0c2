#include "diagrad/train/optim/overlap.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

/// The bytes [begin, end) of a tensor.
struct Extent {
  uintptr_t begin;
  uintptr_t end;
  size_t number;
};

}  // namespace

void check_no_overlap(std::string_view what, std::span<const Tensor> tensors,
                      FunctionRef<std::string(size_t)> place_of) {
  std::vector<Extent> extents;
  extents.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = static_cast<size_t>(tensors[i].numel() * size_of(tensors[i].dtype()));
    if (bytes == 0) continue;
    const auto begin = reinterpret_cast<uintptr_t>(tensors[i].raw_data());
    extents.push_back({begin, begin + bytes, i});
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.number < b.number;
  });
  const auto shared =
      std::adjacent_find(extents.begin(), extents.end(),
                         [](const Extent& a, const Extent& b) { return b.begin < a.end; });
  if (shared == extents.end()) return;
  const auto [first, second] = std::minmax(shared->number, std::next(shared)->number);
  fail(ErrorKind::usage,
       "{}: {} and {} are one tensor or share memory, shapes {} and {}; list it "
       "once",
       what, place_of(first), place_of(second), tensors[first].shape(), tensors[second].shape());
}

}  // namespace diagrad::train
