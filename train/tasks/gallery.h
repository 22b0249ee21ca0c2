#pragma once

#include <cstdint>

#include "diagrad/data/dataset.h"
#include "diagrad/train/tasks/blocks.h"

namespace diagrad::train {

/// Image `index` of a data set with its source, as it was stored: neither normalised nor augmented,
/// without captions. Folders of the source are left out. Throws what the data set throws.
Gallery::Image gallery_image(const data::Dataset& set, int64_t index);

}  // namespace diagrad::train
