#include "diagrad/train/bench/profile.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace diagrad::train {
namespace {

using Clock = PhaseSpan::Clock;

/// Of the elements in memory: those that a stride of 0 repeats count once.
int64_t bytes_of(const Tensor& tensor) {
  if (!tensor.defined()) return 0;
  int64_t elements = 1;
  for (int axis = 0; axis < tensor.rank(); ++axis) {
    if (tensor.strides()[axis] != 0) elements *= tensor.shape()[axis];
  }
  return elements * size_of(tensor.dtype());
}

int64_t bytes_of(std::span<const Tensor> tensors) {
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += bytes_of(tensor);
  return bytes;
}

bool is_view(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& input) {
    return input.defined() && outputs.front().defined() && outputs.front().shares_storage(input);
  });
}

/// Of which phase a moment is; phases lie one after the other.
const PhaseSpan& phase_at(std::span<const PhaseSpan> phases, Clock::time_point moment) {
  const auto found = std::find_if(phases.begin(), phases.end(),
                                  [&](const PhaseSpan& phase) { return moment <= phase.end; });
  return found == phases.end() ? phases.back() : *found;
}

}  // namespace

void Profile::begin_step() {
  step_start_ = operations_.size();
  last_ = Clock::now();
}

void Profile::end_step(std::span<const PhaseSpan> phases) {
  if (phases.empty()) return;
  for (size_t i = step_start_; i < operations_.size(); ++i) {
    ProfileEvent& event = operations_[i];
    // The first operation of a phase began with it, not with what was timed before.
    event.start = std::max(event.start, phase_at(phases, event.end).start);
  }
  for (const PhaseSpan& phase : phases) {
    phases_.push_back({phase.name, phase.name, phase.start, phase.end, 0, 0});
  }
}

void Profile::on_forward(const autograd::OpInfo& op, std::span<const Tensor> inputs,
                         std::span<const Tensor> outputs) {
  const auto now = Clock::now();
  const int64_t bytes = is_view(inputs, outputs) ? 0 : bytes_of(inputs) + bytes_of(outputs);
  operations_.push_back({op.name, "forward", last_, now, op.multiply_adds, bytes});
  last_ = now;
}

void Profile::on_backward_start(const autograd::OpInfo& /*op*/, std::span<const Tensor> gradients) {
  incoming_bytes_ = bytes_of(gradients);
  incoming_.clear();
  for (const Tensor& gradient : gradients) {
    if (gradient.defined()) incoming_.push_back(gradient.raw_data());
  }
  saved_bytes_ = 0;
  saved_.clear();
  last_ = Clock::now();
}

void Profile::on_saved_read(const Tensor& saved) {
  if (std::find(saved_.begin(), saved_.end(), saved.id()) != saved_.end()) return;
  saved_.push_back(saved.id());
  saved_bytes_ += bytes_of(saved);
}

void Profile::on_backward(const autograd::OpInfo& op, std::span<const Tensor> gradients) {
  const auto now = Clock::now();
  int64_t made = 0;
  for (const Tensor& gradient : gradients) {
    const bool is_passed_on =
        gradient.defined() &&
        std::find(incoming_.begin(), incoming_.end(), gradient.raw_data()) != incoming_.end();
    if (!is_passed_on) made += bytes_of(gradient);
  }
  const bool is_view = made == 0 && saved_bytes_ == 0;
  const int64_t bytes = is_view ? 0 : incoming_bytes_ + saved_bytes_ + made;
  operations_.push_back({op.name, "backward", last_, now, 2 * op.multiply_adds, bytes});
  last_ = now;
}

std::vector<ProfileRow> Profile::rows() const {
  std::map<std::pair<std::string_view, std::string_view>, ProfileRow> table;
  const auto row_of = [&](std::string_view pass, std::string_view name) -> ProfileRow& {
    ProfileRow& row = table[{pass, name}];
    row.pass = pass;
    row.name = name;
    return row;
  };
  for (const ProfileEvent& phase : phases_) row_of(phase.pass, "").seconds += phase.seconds();
  for (const ProfileEvent& event : operations_) {
    ProfileRow& row = row_of(event.pass, event.name);
    row.calls += 1;
    row.seconds += event.seconds();
    row.multiply_adds += event.multiply_adds;
    row.bytes += event.bytes;
    row_of(event.pass, "").seconds -= event.seconds();
  }
  std::vector<ProfileRow> rows;
  for (const auto& entry : table) rows.push_back(entry.second);
  std::sort(rows.begin(), rows.end(),
            [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return rows;
}

}  // namespace diagrad::train
