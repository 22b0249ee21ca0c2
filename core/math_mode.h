#pragma once

#include <string_view>

namespace diagrad {

/// How f32 results may be computed. `fast` allows algorithms that reorder the arithmetic of a
/// definition at a stated error (Winograd convolutions); `exact` sums every value directly, as the
/// definition is written. One choice for the whole process: it changes the bits of results, never
/// their shape or meaning. f64 is computed directly in both.
enum class MathMode { fast, exact };

/// Starts at `fast`.
MathMode math_mode();
void set_math_mode(MathMode mode);

/// "fast" or "exact"; throws Error(usage) for anything else.
MathMode parse_math_mode(std::string_view text);

/// Sets the mode while alive.
class MathModeScope {
 public:
  explicit MathModeScope(MathMode mode);
  ~MathModeScope();
  MathModeScope(const MathModeScope&) = delete;
  MathModeScope& operator=(const MathModeScope&) = delete;

 private:
  MathMode before_;
};

}  // namespace diagrad
