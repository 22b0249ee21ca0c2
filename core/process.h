#pragma once

#include <cstdint>
#include <optional>

namespace diagrad {

/// How much of the processors other processes take, from its making on. Where the system does not
/// say (no /proc/stat), there is no answer.
class ForeignCpu {
 public:
  ForeignCpu();
  /// In [0, 1], of all processors that are online: 0.5 is one busy process beside two cores. The
  /// system counts in ticks of 10 ms, so a span under half a second says little.
  std::optional<double> share() const;

 private:
  std::optional<double> busy_;  ///< processor seconds of everybody
  double own_;
  double start_;
};

/// The largest resident size of this process so far.
int64_t peak_resident_bytes();

/// Since this process was started, to some 10 ms; nothing where the system does not say.
std::optional<double> seconds_since_process_start();

}  // namespace diagrad
