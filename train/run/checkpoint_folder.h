#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diagrad/train/run/checkpoint.h"

namespace diagrad::train {

/// The checkpoints of one run: `last`, `last.prev` (the one before), `best` and `epoch-NNNN`, all
/// `.safetensors`. At every instant from the first save on, whatever kills the process, `last` or
/// `last.prev` is whole. Everything throws Error(checkpoint); what was good stays.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::string folder) : folder_(std::move(folder)) {}

  /// Makes the folder and removes temporary files that a killed process left.
  void prepare() const;

  struct Found {
    Checkpoint checkpoint;
    std::string path;
    std::string warning;  ///< empty, or why it is not the newest one
  };
  /// `last`; where it is damaged or missing, `last.prev`. Nothing where there is no checkpoint at
  /// all; throws when what there is cannot be used, or is `best` and `epoch-NNNN` alone.
  std::optional<Found> find_last();

  /// Throws Error(usage) where the run has come further than `given`, a state that was read from
  /// `path`: going back would lose the steps between.
  void check_newest(const Progress& given, const std::string& path);

  /// Writes `last`; the one before becomes `last.prev` unless it was found damaged.
  void save_last(const Checkpoint& checkpoint);
  /// Makes `best` what `last` is now (a second name for the same file).
  void mark_best() const { link_file(file("last"), file("best")); }
  /// Makes `epoch-NNNN` what `last` is now, then removes all but the newest `keep` of these files
  /// up to this epoch (0: none is removed).
  void keep_epoch(int64_t epoch, int64_t keep) const;

  bool has(const std::string& name) const;
  /// What its files take; one with several names counts once.
  int64_t bytes() const;
  /// The path of `last`, `best`, ...
  std::string file(const std::string& name) const { return folder_ + "/" + name + ".safetensors"; }

 private:
  bool has_others() const;

  std::string folder_;
  bool last_is_good_ = false;
};

/// Bytes that a run may still have to write where its checkpoints take `present`, one of them
/// `one`, and `kept` files epoch-NNNN stay: at a save there are `last`, `last.prev`, a `best` that
/// is older than both, and the next `last`.
int64_t space_to_come(int64_t one, int64_t kept, int64_t present);

/// Throws Error(checkpoint) where a folder's file system has fewer than `needed` bytes available.
void check_space(const std::string& folder, int64_t needed, uintmax_t available);

}  // namespace diagrad::train
