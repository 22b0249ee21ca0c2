#pragma once

#include <cstdint>
#include <functional>

#include "diagrad/data/dataset.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::train {

/// Images that a trained model makes, with the default options of its task, as a data set: the same
/// as those of `diagrad sample` with the same seed. They are made here, by one after the other call
/// of the generator, and kept in memory. `progress` is called before each call. Throws
/// Error(checkpoint) for a task that makes no images.
data::DatasetPtr generated_images(const TrainedModel& trained, int64_t count, uint64_t seed,
                                  const std::function<void(int64_t done)>& progress);

}  // namespace diagrad::train
