#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad::nn {

/// Which statistics of its input a variant reads. With `mean` alone the end of a residual block
/// runs in one pass over memory, which gives no others.
enum class Statistics { mean, all };

/// Statistics of each channel of x [B,...,C] over its positions (pixels or tokens), [B,C] each and
/// differentiable; each is computed when it is first asked for, from existing operations:
///
///   mean     1/n sum x
///   std      sqrt(sum (x - mean)^2 / max(n - 1, 1) + 1e-5)
///   l2_norm  sqrt(sum x^2 + 1e-5)
///   max      the largest x
///
/// The constant under the roots keeps their derivatives finite where all x are equal or 0.
class ChannelStats {
 public:
  /// Of x, of rank >= 3 and not empty; throws otherwise.
  explicit ChannelStats(Tensor x);
  /// Of a mean that is known already; the other statistics throw Error(internal).
  static ChannelStats of_mean(Tensor mean);
  /// Of x, those that `statistics` names.
  static ChannelStats of(const Tensor& x, Statistics statistics);

  const Tensor& mean() const;
  const Tensor& std() const;
  const Tensor& l2_norm() const;
  const Tensor& max() const;

 private:
  ChannelStats() = default;
  const Tensor& input(const char* statistic) const;

  Tensor x_;
  mutable Tensor mean_, std_, l2_norm_, max_;
};

}  // namespace diagrad::nn
