#include "diagrad/nn/random_scope.h"

#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"

namespace diagrad::nn {
namespace {

thread_local RandomScope* innermost = nullptr;

}  // namespace

RandomScope::RandomScope(uint64_t seed, uint64_t step)
    : before_(std::exchange(innermost, this)), seed_(seed), step_(step) {}

RandomScope::~RandomScope() {
  innermost = before_;
}

RandomScope::Draw RandomScope::next() {
  DG_CHECK(innermost != nullptr,
           "dropout: drawn in training mode outside every RandomScope; open one per step, e.g. "
           "nn::RandomScope random(seed, step), or call eval()");
  RandomScope& scope = *innermost;
  return {scope.seed_, stream_id("layer", scope.step_, scope.draws_++)};
}

}  // namespace diagrad::nn
