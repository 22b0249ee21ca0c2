#pragma once

#include <cstdint>

#include "diagrad/data/batch.h"
#include "diagrad/data/geometry.h"

namespace diagrad::data {

/// mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019) as timm's batch mode: one draw for the
/// whole batch, and the partner of image b of B is image B-1-b. Any B will do; the middle image of
/// an odd batch is its own partner and stays as it is.
struct MixOptions {
  double mixup = 0.0;         ///< alpha of mixup, 0: off
  double cutmix = 0.0;        ///< alpha of cutmix, 0: off
  double cutmix_share = 0.5;  ///< of the batches, where both are on
  uint64_t seed = 0;

  bool is_on() const { return mixup > 0.0 || cutmix > 0.0; }
};

/// What is drawn for a batch.
struct MixDraw {
  double own_share = 1.0;  ///< lambda: of an image in its mixture; its partner has the rest
  bool is_cutmix = false;
  // cutmix: the box that comes from the partner, bottom and right one past the last pixel.
  int64_t top = 0;
  int64_t bottom = 0;
  int64_t left = 0;
  int64_t right = 0;
};

/// lambda ~ Beta(alpha, alpha). cutmix: a box of sides sqrt(1 - lambda) of the image's around a
/// uniform pixel, clipped to the image; own_share is the area that it leaves. A function of (seed,
/// number of the batch over all epochs) alone. Throws where both are off.
MixDraw draw_mix(const MixOptions& options, const ImageSize& size, int64_t number);

/// The batch with mixed images, and with own_share set, by which a task mixes the targets: those
/// here are still the images' own. The tensors of `batch` are not changed. Throws for images that
/// are not f32.
Batch mix(const Batch& batch, const MixOptions& options, int64_t number);

}  // namespace diagrad::data
