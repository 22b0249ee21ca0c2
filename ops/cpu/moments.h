#pragma once

#include "diagrad/core/host_device.h"

namespace diagrad {

/// Mean and sum of squared deviations of a set of values, mergeable without cancellation.
/// Source: Chan, Golub, LeVeque, "Updating formulae and a elementwise algorithm for computing
/// sample variances", 1979.
struct Moments {
  double mean = 0.0;
  double squares = 0.0;
};

DG_HOST_DEVICE inline Moments merge(const Moments& a, double count_a, const Moments& b,
                                    double count_b) {
  const double share = count_b / (count_a + count_b);
  const double distance = b.mean - a.mean;
  return {a.mean + distance * share, a.squares + b.squares + distance * distance * share * count_a};
}

}  // namespace diagrad
