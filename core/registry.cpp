#include "diagrad/core/registry.h"

#include <fmt/format.h>

#include "diagrad/core/spelling.h"

namespace diagrad {

void check_registration(std::string_view what, std::string_view name, bool has_make) {
  DG_CHECK(!name.empty(), "{}: an entry is registered without a name", what);
  DG_CHECK(has_make, "{} '{}' is registered without .make, the function that makes it", what, name);
}

void fail_unknown(std::string_view what, std::string_view name,
                  const std::vector<std::string>& known) {
  fail(ErrorKind::usage, "{}: '{}' is unknown{} (use one of: {})", what, name,
       did_you_mean(name, known), fmt::join(known, ", "));
}

}  // namespace diagrad
