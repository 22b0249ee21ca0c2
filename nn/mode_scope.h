#pragma once

#include <utility>
#include <vector>

#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// Remembers whether a module and each one below is training, and makes it so again when it ends:
/// a part that is frozen in evaluation mode stays frozen, whatever train() and eval() did.
class ModeScope {
 public:
  explicit ModeScope(Module& module) { remember(module); }
  ~ModeScope();
  ModeScope(const ModeScope&) = delete;
  ModeScope& operator=(const ModeScope&) = delete;

 private:
  void remember(Module& module);

  std::vector<std::pair<Module*, bool>> modes_;
};

}  // namespace diagrad::nn
