#include "diagrad/core/registry.h"

#include <fmt/format.h>

#include "diagrad/core/spelling.h"

namespace diagrad {

void fail_unknown(std::string_view what, std::string_view name,
                  const std::vector<std::string>& known) {
  fail(ErrorKind::usage, "{}: '{}' is unknown{} (use one of: {})", what, name,
       did_you_mean(name, known), fmt::join(known, ", "));
}

}  // namespace diagrad
