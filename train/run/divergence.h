#pragma once

#include <string>

#include "diagrad/autograd/observer.h"

namespace diagrad::train {

/// Remembers the first operation, forward or backward, that gives a number that is not finite.
class NonFiniteFinder : public autograd::OpObserver {
 public:
  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> inputs,
                  std::span<const Tensor> outputs) override;
  void on_backward(const autograd::OpInfo& op, std::span<const Tensor> gradients) override;

  /// "batch_norm, forward, output f32 [128,32,32,16]"; empty: none so far.
  const std::string& found() const { return found_; }

 private:
  void look(const autograd::OpInfo& op, std::span<const Tensor> tensors, const char* direction,
            const char* what);

  std::string found_;
};

}  // namespace diagrad::train
