#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/conv/convolution.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {

/// Groups of a convolution as Winograd's tiles take them, one after the other. Groups that do not
/// fill a vector are taken together, as one with weights of zero between them: transforms cost per
/// vector.
struct WinogradGroups {
  explicit WinogradGroups(const ConvGeometry& g)
      : together(1), group_inputs(g.group_inputs()), group_outputs(g.group_outputs()) {
    const int64_t fewest = std::max<int64_t>(std::min(group_inputs, group_outputs), 1);
    while (together < g.groups && (g.groups % together != 0 || together * fewest < kLanes<float>)) {
      ++together;
    }
    count = g.groups / together;
  }
  int64_t inputs() const { return together * group_inputs; }
  int64_t outputs() const { return together * group_outputs; }
  /// Elements of the weights of one: [outputs, 9, inputs].
  int64_t weights() const { return outputs() * 9 * inputs(); }
  /// Where the inputs of output `o` of all begin among those of the groups taken with it.
  int64_t first_input(int64_t o) const { return o / group_outputs % together * group_inputs; }

  int64_t count;     ///< how many there are then
  int64_t together;  ///< of the convolution's groups in each
  int64_t group_inputs;
  int64_t group_outputs;
};

/// The weights [O,3,3,C/groups] as those of `groups`.
class WideWeights {
 public:
  WideWeights(const WinogradGroups& groups, const float* w)
      : size_(groups.weights()), wide_(groups.together > 1 ? groups.count * size_ : 0), w_(w) {
    if (groups.together == 1) return;
    std::fill(wide_.data(), wide_.data() + groups.count * size_, 0.0F);
    for (int64_t row = 0; row < groups.count * groups.outputs() * 9; ++row) {
      std::copy_n(w + row * groups.group_inputs, groups.group_inputs,
                  wide_.data() + row * groups.inputs() + groups.first_input(row / 9));
    }
    w_ = wide_.data();
  }
  const float* of(int64_t group) const { return w_ + group * size_; }

 private:
  int64_t size_;
  Scratch<float> wide_;
  const float* w_;
};

/// The other way round, for gradients: written to where of() says, then narrowed to dw.
class WideGradient {
 public:
  WideGradient(const WinogradGroups& groups, float* dw)
      : groups_(groups),
        wide_(groups.together > 1 ? groups.count * groups.weights() : 0),
        dw_(dw) {}
  float* of(int64_t group) const {
    return (groups_.together > 1 ? wide_.data() : dw_) + group * groups_.weights();
  }
  void narrow() const {
    if (groups_.together == 1) return;
    for (int64_t row = 0; row < groups_.count * groups_.outputs() * 9; ++row) {
      std::copy_n(wide_.data() + row * groups_.inputs() + groups_.first_input(row / 9),
                  groups_.group_inputs, dw_ + row * groups_.group_inputs);
    }
  }

 private:
  WinogradGroups groups_;
  Scratch<float> wide_;
  float* dw_;
};

}  // namespace diagrad::kernels
