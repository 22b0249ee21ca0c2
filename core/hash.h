#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace diagrad {

/// XXH3, 64 bits, over parts; each enters with its length before it, so that parts cannot be
/// shifted against each other. Source: github.com/Cyan4973/xxHash.
class Hash {
 public:
  Hash();
  void add(const void* data, size_t bytes);
  void add(std::string_view text) { add(text.data(), text.size()); }
  uint64_t result() const;
  /// The result as 16 hexadecimal digits.
  std::string text() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace diagrad
