#include <functional>
#include <string>

#include "diagrad/core/error.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {

std::string error_message(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace diagrad::testing
