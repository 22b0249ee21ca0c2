#pragma once

#include <cstdint>
#include <vector>

namespace diagrad::train {

/// The noise level at each step t of diffusion: a_t = alpha-bar, the product of 1 - beta over the
/// steps up to t, so that a noisy image is
///
///     x_t = sqrt(a_t) x0 + sqrt(1 - a_t) e        e ~ N(0, 1)
///
/// Steps are counted from 0 to T - 1; a_t falls strictly. Formulas in the note "Diffusion".
class NoiseSchedule {
 public:
  /// The step before step 0: the clean image, a = 1.
  static constexpr int64_t kClean = -1;

  /// Throws unless 1 > a_0 > a_1 > ... >= 0, with the first two that break it.
  explicit NoiseSchedule(std::vector<double> alpha_bars);
  /// beta from 1e-4 to 0.02 in equal steps, whatever T (Ho et al. 2020). Meant for T = 1000: with
  /// fewer steps much of the image is left at the last one.
  static NoiseSchedule linear(int64_t steps);
  /// a_t = f(t + 1) / f(0), f(u) = cos^2((u / T + s) / (1 + s) pi / 2), s = 0.008, and beta at most
  /// 0.999 (Nichol and Dhariwal 2021, equation 17).
  static NoiseSchedule cosine(int64_t steps);
  /// The same with a_{T-1} = 0: sqrt(a) is shifted and scaled so that a_0 stays (Lin et al. 2024,
  /// algorithm 1). Throws for fewer than 2 steps.
  NoiseSchedule with_zero_terminal_snr() const;

  int64_t steps() const { return static_cast<int64_t>(alpha_bars_.size()); }
  /// 1 at kClean. Throws for other steps outside [0, T).
  double alpha_bar(int64_t t) const;
  /// 1 - a_t / a_{t-1}.
  double beta(int64_t t) const;

 private:
  std::vector<double> alpha_bars_;
};

/// The signal-to-noise ratio a / (1 - a); infinite for a = 1.
double snr_of(double alpha_bar);

}  // namespace diagrad::train
