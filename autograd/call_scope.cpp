#include "diagrad/autograd/call_scope.h"

#include <utility>

namespace diagrad::autograd {
namespace {

thread_local CallLabel current;

}  // namespace

CallScope::CallScope(const std::string& unit, int call)
    : before_(std::exchange(current, {std::make_shared<const std::string>(unit), call})) {}

CallScope::~CallScope() {
  current = std::move(before_);
}

const CallLabel& current_call() {
  return current;
}

}  // namespace diagrad::autograd
