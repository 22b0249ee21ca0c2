#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "diagrad/core/shape.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::train {

/// The task of a trained model. Throws Error(checkpoint) for one that makes no images.
const TaskInfo& generating_task(const TrainedModel& trained);

/// What makes images with a trained model, which must outlive it. `options`: of
/// TaskInfo::generator_options. Throws as generating_task() and Task::generator() do.
std::unique_ptr<Generator> make_generator(const TrainedModel& trained, const Selection& options,
                                          uint64_t seed);

struct GenerateJob {
  std::string npz = {};   ///< file for all images (data/image_npz.h); empty: none
  std::string grid = {};  ///< PNG of the first images (data/image_grid.h); empty: none
  int64_t columns = 0;    ///< of the grid; 0: about as many as rows
  int64_t count = 64;
  int64_t batch = 64;
  Shape image = {};    ///< [H,W,C]
  bool force = false;  ///< replaces what another command has made
  std::function<void(int64_t done)> progress = {};
};

struct GenerateResult {
  int64_t resumed_at = 0;   ///< images that an earlier process had made
  bool was_done = false;    ///< every file was there already
  double seconds = 0.0;     ///< of the images that this process made
  std::string record = {};  ///< the path of the file that says how the images were made
};

/// Throws Error(usage) for a job that names no file, or a folder as one, and for a grid that the
/// images do not fit. Needs no generator, so that mistakes are found first.
void check_files(const GenerateJob& job);

/// Writes the images of a generator batch by batch, so that memory does not depend on their number.
/// They grow in `<file>.partial`, beside the .npz file or, without one, the grid; in the end the
/// files appear whole, and the partial one is gone. `record`, an object of everything that decides
/// the images, is kept in `<file>.json`: the same record goes on behind the images that a killed
/// process has made, or finds all of them; another one is refused with what differs. Throws
/// Error(usage) for that, for a file that was not made so and for one that cannot be written,
/// Error(checkpoint) where the disk has no room for all images.
GenerateResult generate(Generator& generator, const GenerateJob& job,
                        const nlohmann::ordered_json& record);

}  // namespace diagrad::train
