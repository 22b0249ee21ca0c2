#include "diagrad/nn/mode_scope.h"

namespace diagrad::nn {

ModeScope::~ModeScope() {
  // From the root down: each call reaches the modules below, which then get their own.
  for (const auto& mode : modes_) mode.first->train(mode.second);
}

/// Every path, so that a shared module is set again after each of those above it.
void ModeScope::remember(Module& module) {
  modes_.emplace_back(&module, module.is_training());
  for (const auto& child : module.children()) remember(*child.second);
}

}  // namespace diagrad::nn
