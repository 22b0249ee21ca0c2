#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/data/identity.h"
#include "diagrad/nn/safetensors.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/metric.h"

namespace diagrad::train {

using data::DataIdentity;
using nn::checksum;
using nn::Metadata;
using nn::SafetensorsReader;
using nn::TensorMap;
using nn::write_safetensors;

/// Where a run stands. Random numbers are functions of the seed and these counters, so nothing
/// else is needed to continue with the same bits.
struct Progress {
  int64_t step = 0;   ///< optimizer steps made
  int64_t epoch = 0;  ///< whole epochs done
  int64_t batch = 0;  ///< batches done in the epoch under way
  /// The place of the next step in the schedule: `step`, until the run goes on with other data and
  /// so with another number of steps per epoch.
  int64_t schedule_step = 0;
  double lr = 0.0;         ///< of the last step; the schedule is a function of options and place
  MetricSums sums = {};    ///< over the batches of the epoch under way
  MetricValues last = {};  ///< of the last evaluation
  double best = 0.0;       ///< the primary metric of the best epoch
  int64_t best_epoch = 0;  ///< counted from 1; 0: none yet

  /// The epoch of the last step, counted from 1: its end may have been counted already.
  int64_t epoch_of_step() const { return batch == 0 && epoch > 0 ? epoch : epoch + 1; }

  bool operator==(const Progress&) const = default;
};

/// A run went on with other data than before.
struct DataChange {
  int64_t step = 0;  ///< the last one on the data before
  std::string text;  ///< what differs

  bool operator==(const DataChange&) const = default;
};

/// What `--init` gave a run to begin with; both empty: nothing.
struct InitRecord {
  std::string hash;  ///< of the weights as the model took them
  std::string text;  ///< "119 of 121 tensors, averaged weights; fc is fresh"
};

/// What a checkpoint says beside its tensors.
struct CheckpointInfo {
  Options options;  ///< those that decide what comes out
  Progress progress;
  Metric primary;  ///< the metric that chooses the best epoch
  DataIdentity data;
  std::vector<DataChange> data_changes;  ///< oldest first
  std::string chosen_on;  ///< which set the best is chosen on: "test" or "validation"
  InitRecord init = {};
};

/// A checkpoint in memory: one safetensors file with the tensors `model.*`, `optimizer.*` and
/// `ema.*`; the metadata hold the info as a JSON text (`diagrad`) and a checksum of everything.
/// The file of a state is always the same, byte for byte: no times, no paths, no thread counts.
struct Checkpoint {
  CheckpointInfo info;
  TensorMap tensors;

  /// The tensors whose name begins with `prefix` and a dot, without it.
  TensorMap part(const std::string& prefix) const;
};

/// Whether a safetensors file says that it is one of these.
bool is_checkpoint(const SafetensorsReader& reader);
/// Throws Error(checkpoint).
void write_checkpoint(AtomicFile& file, const Checkpoint& checkpoint);
/// Throws Error(checkpoint) for a file that is missing, damaged, not ours or too new.
Checkpoint read_checkpoint(const std::string& path);

/// Copies `from` into the live tensors `into`. Throws Error(checkpoint), before any change, when
/// names, shapes or dtypes differ: "<what>: ...", the first few of them and how many.
void restore(const TensorMap& into, const TensorMap& from, const std::string& what);

/// The name of the first floating tensor that holds a NaN or an infinity (f64: also values beyond
/// 1e154); empty if there is none.
std::string first_not_finite(const TensorMap& tensors);
bool is_finite(const Tensor& tensor);

}  // namespace diagrad::train
