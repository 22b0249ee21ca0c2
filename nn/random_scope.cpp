#include "diagrad/nn/random_scope.h"

#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"

namespace diagrad::nn {
namespace {

thread_local RandomScope* innermost = nullptr;

}  // namespace

RandomScope::RandomScope(uint64_t seed, uint64_t step) : RandomScope(Place{seed, step, 0}) {}

RandomScope::RandomScope(const Place& place)
    : before_(std::exchange(innermost, this)), place_(place) {}

RandomScope::~RandomScope() {
  innermost = before_;
}

RandomScope::Draw RandomScope::next() {
  DG_CHECK(innermost != nullptr,
           "dropout: drawn in training mode outside every RandomScope; open one per step, e.g. "
           "nn::RandomScope random(seed, step), or call eval()");
  Place& place = innermost->place_;
  return {place.seed, stream_id("layer", place.step, place.draws++)};
}

std::optional<RandomScope::Place> RandomScope::place() {
  if (innermost == nullptr) return std::nullopt;
  return innermost->place_;
}

}  // namespace diagrad::nn
