#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "diagrad/data/augmentation.h"
#include "diagrad/data/batch.h"
#include "diagrad/data/dataset.h"

namespace diagrad::data {

struct LoaderOptions {
  int64_t batch = 128;
  bool shuffle = false;    ///< a new order each epoch; else that of the data set
  bool drop_last = false;  ///< leave out a last batch that is not full
  int workers = 0;         ///< threads that prepare batches; 0: next() prepares them itself
  int64_t prefetch = 4;    ///< batches that may be under way or waiting, with workers
  uint64_t seed = 0;       ///< of the order and of the augmentation
  std::vector<AugmentationStep> augmentations = {};
  /// A preset's name; empty: the data set's own.
  std::string normalization = {};
};

/// Batches of a data set, an epoch at a time, in order. What comes out is a function of the data
/// set, the options and (epoch, batch number): the same bits for any number of workers or threads,
/// and after resuming in the middle of an epoch. The images of a batch must have one size after
/// the augmentation: where those of the data set differ, a step makes them equal, or a batch is of
/// one image.
///
///     loader.start(epoch);
///     while (loader.next(batch)) { ... }
///
/// Used from one thread. Destroying it, or starting another epoch, at any moment is fine.
class Loader {
 public:
  /// Throws for options that make no batches, with the numbers.
  Loader(DatasetPtr dataset, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const Dataset& dataset() const;
  const LoaderOptions& options() const;
  /// Batches per epoch, and images in them.
  int64_t batch_count() const;
  int64_t image_count() const;

  /// Begins an epoch at one of its batches, 0 <= first_batch <= batch_count().
  void start(int64_t epoch, int64_t first_batch = 0);
  /// The next batch; false at the end of the epoch. An error while reading an image is thrown
  /// here, at the turn of its batch, with the name of the image's source; the epoch is over then.
  /// So is Error(data) for two images of different sizes in a batch.
  bool next(Batch& batch);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace diagrad::data
