#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/option.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// What the calls of a shared unit have in common of a normalisation. Activations of different
/// blocks have different distributions: with shared running statistics, training and evaluation
/// disagree.
enum class NormSharing {
  none,    ///< bn=private: each call has statistics, weight and bias of its own
  affine,  ///< bn=shared-affine: one weight and bias, statistics of its own for each call
  all,     ///< bn=shared: one of everything
};

/// The option `bn` of a variant that normalises: private (default), shared-affine or shared.
Option norm_sharing_option();
/// Its value.
NormSharing norm_sharing(const OptionValues& options);
/// How many weights and biases there are for `calls` calls.
int64_t affine_copies(NormSharing sharing, int64_t calls);

/// A normalisation M within a shared unit, of which each call has its own part:
///
///     norm_(add("norm", PerCall<BatchNorm2d>(BatchNormSpec{.channels = c}, unit.calls,
///                                            norm_sharing(unit.options))))
///     ...
///     norm_->forward(y, state.call)
///
/// Modules are named by call, `norm.0.weight`, `norm.1.running_mean`; what is shared appears under
/// call 0 alone. An M without running statistics (no constructor from a spec and another M) has
/// nothing else to keep apart: with `affine` it is shared as a whole.
template <typename M>
class PerCall : public Module {
 public:
  /// Throws for less than one call.
  template <typename Spec>
  PerCall(const Spec& spec, int64_t calls, NormSharing sharing) : calls_(calls) {
    DG_CHECK(calls >= 1, "PerCall: {} calls; must be positive", calls);
    norms_.push_back(add("0", std::make_shared<M>(spec)));
    for (int64_t call = 1; call < calls; ++call) {
      auto norm = next(spec, sharing);
      if (norm == nullptr) return;
      norms_.push_back(add(std::to_string(call), std::move(norm)));
    }
  }

  using Module::forward;
  /// That of the call's module. Throws Error(internal) for a call beyond those it was made for.
  Tensor forward(const Tensor& x, int call) {
    DG_ASSERT(call >= 0 && call < calls_, "PerCall: call {} of {}", call, calls_);
    return norms_[norms_.size() == 1 ? 0 : static_cast<size_t>(call)]->forward(x);
  }

 private:
  /// The module of one more call; null where the first one serves it.
  template <typename Spec>
  std::shared_ptr<M> next(const Spec& spec, NormSharing sharing) const {
    if (sharing == NormSharing::none) return std::make_shared<M>(spec);
    if constexpr (std::is_constructible_v<M, const Spec&, const M&>) {
      if (sharing == NormSharing::affine) return std::make_shared<M>(spec, *norms_[0]);
    }
    return nullptr;
  }

  int64_t calls_;
  std::vector<std::shared_ptr<M>> norms_;
};

}  // namespace diagrad::nn
