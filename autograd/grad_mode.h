#pragma once

namespace diagrad {

/// Whether operations of this thread record a graph.
bool grad_enabled();

/// Switches recording off (or on) for the current thread until it ends.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// `const NoGrad no_grad;`: nothing is recorded in this scope.
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

}  // namespace diagrad
