#include "diagrad/autograd/observer.h"

#include <utility>

namespace diagrad::autograd {
namespace {

thread_local OpObserver* current = nullptr;

}  // namespace

OpObserver* current_observer() {
  return current;
}

ObserverScope::ObserverScope(OpObserver& observer) : before_(std::exchange(current, &observer)) {}
ObserverScope::~ObserverScope() {
  current = before_;
}

}  // namespace diagrad::autograd
