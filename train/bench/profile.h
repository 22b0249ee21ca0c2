#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diagrad/autograd/observer.h"
#include "diagrad/train/run/step.h"

namespace diagrad::train {

/// Something of a step on the clock: an operation forward or backward, or a whole phase.
struct ProfileEvent {
  std::string name = {};
  std::string pass = {};  ///< "forward", "backward", "optimizer"
  PhaseSpan::Clock::time_point start = {};
  PhaseSpan::Clock::time_point end = {};
  int64_t multiply_adds = 0;  ///< nominal; backward twice those of forward
  int64_t bytes = 0;          ///< of the tensors that it must read and write

  double seconds() const { return std::chrono::duration<double>(end - start).count(); }
};

/// One kind of operation in one pass, over all steps; or, with an empty name, what the phase spent
/// outside its operations.
struct ProfileRow {
  std::string name = {};
  std::string pass = {};
  int64_t calls = 0;
  double seconds = 0.0;
  int64_t multiply_adds = 0;
  int64_t bytes = 0;
};

/// Times each operation of training steps; installed by autograd::ObserverScope.
///
/// Forward, an operation is seen when it is done: its time is that since the one before, so it
/// includes the code of the layer that called it. Backward, it is that of the derivative; sums of
/// gradients and the release of saved tensors are the phase's own. Bytes: forward, inputs and
/// outputs, none for a view; backward, gradients that arrive and leave and the saved tensors that
/// were read, each once, none for a gradient that is passed on as it is; repeated elements of an
/// expanded tensor count once. The rows of all phases add up to the steps.
class Profile : public autograd::OpObserver {
 public:
  /// Before a step, and after it with the phases that it had.
  void begin_step();
  void end_step(std::span<const PhaseSpan> phases);

  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> inputs,
                  std::span<const Tensor> outputs) override;
  void on_backward_start(const autograd::OpInfo& op, std::span<const Tensor> gradients) override;
  void on_saved_read(const Tensor& saved) override;
  void on_backward(const autograd::OpInfo& op, std::span<const Tensor> gradients) override;

  /// Operations of all finished steps, in the order they ran.
  const std::vector<ProfileEvent>& operations() const { return operations_; }
  const std::vector<ProfileEvent>& phases() const { return phases_; }
  /// The longest first.
  std::vector<ProfileRow> rows() const;

 private:
  std::vector<ProfileEvent> operations_;
  std::vector<ProfileEvent> phases_;
  size_t step_start_ = 0;  ///< of operations_, the first of this step
  PhaseSpan::Clock::time_point last_ = {};
  // Of the derivative that runs now. No handles: they would keep it from working in place.
  int64_t incoming_bytes_ = 0;
  std::vector<const void*> incoming_;  ///< where the data of the gradients lies
  int64_t saved_bytes_ = 0;
  std::vector<const void*> saved_;  ///< identities of the saved tensors that it has read
};

}  // namespace diagrad::train
