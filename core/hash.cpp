#include "diagrad/core/hash.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <bit>
#include <new>

namespace diagrad {

// Lengths and numbers enter as they lie in memory, and files keep the result.
static_assert(std::endian::native == std::endian::little, "hashes in files are of little-endian");

void Hash::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

Hash::Hash() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset(state_.get());
}

void Hash::add(const void* data, size_t bytes) {
  const uint64_t length = bytes;
  XXH3_64bits_update(state_.get(), &length, sizeof length);
  XXH3_64bits_update(state_.get(), data, bytes);
}

uint64_t Hash::result() const {
  return XXH3_64bits_digest(state_.get());
}

std::string Hash::text() const {
  return fmt::format("{:016x}", result());
}

}  // namespace diagrad
