#include "diagrad/autograd/grad_mode.h"

#include <utility>

namespace diagrad {
namespace {

thread_local bool enabled = true;

}  // namespace

bool grad_enabled() {
  return enabled;
}

GradMode::GradMode(bool on) : before_(std::exchange(enabled, on)) {}
GradMode::~GradMode() {
  enabled = before_;
}

}  // namespace diagrad
