#include "diagrad/core/error.h"

#include <string_view>

namespace diagrad::detail {

void assertion_failed(const char* condition, const char* file, int line,
                      const std::string& details) {
  std::string_view path(file);
  if (const auto slash = path.rfind('/'); slash != std::string_view::npos) {
    path.remove_prefix(slash + 1);
  }
  fail(ErrorKind::internal, "{} ({}:{}, {} does not hold; this is a bug in diagrad)", details, path,
       line, condition);
}

}  // namespace diagrad::detail
