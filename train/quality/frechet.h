#pragma once

#include "diagrad/train/quality/moments.h"

namespace diagrad::train {

/// The squared Frechet distance of two normal distributions,
///
///     |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2)),
///
/// not negative, and 0 up to rounding where they are equal, for covariances of any rank: see the
/// note "Quality of generated images". Throws for moments of different widths.
double frechet_distance(const Moments& a, const Moments& b);

}  // namespace diagrad::train
