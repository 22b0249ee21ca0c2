#pragma once

#include <memory>
#include <string>

namespace diagrad::autograd {

/// Which call of which shared unit an operation belongs to. Nodes made inside a CallScope carry
/// its label, so that a gradient of a shared parameter can be told apart by call.
struct CallLabel {
  std::shared_ptr<const std::string> unit;  ///< null outside every scope
  int call = -1;

  bool defined() const { return unit != nullptr; }
  bool operator==(const CallLabel& other) const {
    return call == other.call &&
           (unit == other.unit || (unit && other.unit && *unit == *other.unit));
  }
};

/// Labels the operations of the current thread until it ends; the innermost scope wins.
class CallScope {
 public:
  CallScope(const std::string& unit, int call);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  CallLabel before_;
};

/// The label of the innermost scope of the current thread; undefined outside of every one.
const CallLabel& current_call();

}  // namespace diagrad::autograd
