#pragma once

#include <span>

#include "diagrad/autograd/node.h"

namespace diagrad::autograd {

/// Sees every operation of the current thread: profilers, the layer table, the search for the
/// first operation with a bad number.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  virtual void on_forward(const OpInfo& /*op*/, std::span<const Tensor> /*inputs*/,
                          std::span<const Tensor> /*outputs*/) {}
  /// Before the derivative of `op` runs; of the gradients of its outputs, those that nothing
  /// flowed into are undefined.
  virtual void on_backward_start(const OpInfo& /*op*/, std::span<const Tensor> /*gradients*/) {}
  /// The derivative that runs now reads a saved tensor; may be told of one several times.
  virtual void on_saved_read(const Tensor& /*saved*/) {}
  /// After the derivative of `op` ran; undefined gradients are those not asked for.
  virtual void on_backward(const OpInfo& /*op*/, std::span<const Tensor> /*gradients*/) {}
};

OpObserver* current_observer();

/// Installs an observer for the current thread until it ends; the innermost one is called.
class ObserverScope {
 public:
  explicit ObserverScope(OpObserver& observer);
  ~ObserverScope();
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  OpObserver* before_;
};

}  // namespace diagrad::autograd
