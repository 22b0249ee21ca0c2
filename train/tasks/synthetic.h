#pragma once

#include <cstdint>

#include "diagrad/core/shape.h"
#include "diagrad/data/dataset.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {

/// A data set of random images [H,W,C] with the targets that a task needs, for benchmarks and
/// summaries: class indices count up, other numbers lie in [0, 1), an image has one box.
data::DatasetPtr synthetic_set(const TaskInfo& task, const Shape& image, int64_t classes,
                               int64_t size, uint64_t seed);

/// How many outputs the model has for such images, where the user asks for `classes` (0: what the
/// task says of 10 classes).
int64_t synthetic_outputs(const Task& task, const Shape& image, int64_t classes);

}  // namespace diagrad::train
