#include "diagrad/core/math_mode.h"

#include <atomic>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad {
namespace {

std::atomic<MathMode> current{MathMode::fast};

}  // namespace

MathMode math_mode() {
  return current.load(std::memory_order_relaxed);
}

void set_math_mode(MathMode mode) {
  current.store(mode, std::memory_order_relaxed);
}

MathMode parse_math_mode(std::string_view text) {
  if (text == "fast") return MathMode::fast;
  DG_CHECK(text == "exact", "math: '{}' is unknown{} (use one of: fast, exact)", text,
           did_you_mean(text, {"fast", "exact"}));
  return MathMode::exact;
}

MathModeScope::MathModeScope(MathMode mode) : before_(math_mode()) {
  set_math_mode(mode);
}

MathModeScope::~MathModeScope() {
  set_math_mode(before_);
}

}  // namespace diagrad
