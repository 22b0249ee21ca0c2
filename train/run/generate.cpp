#include "diagrad/train/run/generate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"
#include "diagrad/data/encode.h"
#include "diagrad/data/image_grid.h"
#include "diagrad/data/image_npz.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

/// Where the images of a job are and what is known of them.
struct Place {
  explicit Place(const GenerateJob& job)
      : option(job.npz.empty() ? "grid" : "npz"),
        file(job.npz.empty() ? job.grid : job.npz),
        partial(file + ".partial"),
        record(file + ".json") {}

  const char* option;
  std::string file;
  std::string partial;
  std::string record;
};

/// "steps=50 there, 20 here", for each key that differs.
std::vector<std::string> differences(const json& there, const ordered_json& here) {
  std::vector<std::string> all;
  for (const auto& item : here.items()) {
    const json& before = json_member(there, item.key().c_str());
    const json now = item.value();
    if (before == now) continue;
    constexpr auto kReplace = json::error_handler_t::replace;
    all.push_back(fmt::format("{}={} there, {} here", item.key(),
                              before.dump(-1, ' ', false, kReplace),
                              now.dump(-1, ' ', false, kReplace)));
  }
  return all;
}

/// Whether a file is there that holds something: a process that was killed before it had said what
/// it makes leaves an empty one.
bool holds_something(const std::string& path) {
  std::error_code ignored;
  return exists(path) && (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > 0);
}

/// Whether the files of the job belong to this record. Throws where they belong to something else.
bool is_known(const GenerateJob& job, const Place& place, const ordered_json& record) {
  if (exists(place.record)) {
    const std::vector<std::string> differing = differences(file_json(place.record), record);
    if (differing.empty()) return true;
    DG_CHECK(job.force,
             "{}: the images of {} are of another command: {}; choose another file, or begin anew "
             "with --force",
             place.option, place.file, fmt::join(differing, "; "));
    return false;
  }
  for (const std::string& path : {place.partial, job.npz, job.grid}) {
    DG_CHECK(path.empty() || job.force || !holds_something(path),
             "{}: {} exists, and there is no {} to say how it was made; choose another file, or "
             "begin anew with --force",
             place.option, path, place.record);
  }
  return false;
}

void check_space(const GenerateJob& job, const Place& place, bool has_labels) {
  std::error_code problem;
  std::string folder = fs::path(place.file).parent_path().string();
  if (folder.empty()) folder = ".";
  const fs::space_info space = fs::space(folder, problem);
  if (problem) return;  // what is wrong with the folder is said where the file is opened
  const uintmax_t there = exists(place.partial) ? fs::file_size(place.partial, problem) : 0;
  const int64_t needed = data::ImageNpz::whole_bytes(job.image, job.count, has_labels);
  if (problem || space.available + there >= static_cast<uintmax_t>(needed)) return;
  constexpr int64_t kMiB = 1 << 20;
  fail(ErrorKind::checkpoint,
       "{}: {} has {} MiB of free space, {} images {} need {} MiB; free some, or choose another "
       "folder or a smaller --count",
       place.option, folder, static_cast<int64_t>(space.available) / kMiB, thousands(job.count),
       job.image, (needed + kMiB - 1) / kMiB);
}

/// What `action` does, its errors those of the option that named the file.
void as_usage(const char* option, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    fail(ErrorKind::usage, "{}: {}; name a file in a folder that can be written", option,
         error.what());
  }
}

/// Begins anew. The empty partial file comes first: whoever finds it beside an older record makes
/// the images of that again.
void begin(const Place& place, const ordered_json& record) {
  constexpr int kIndent = 2;
  as_usage(place.option, [&] {
    write_file(place.partial, "");
    write_file(place.record,
               record.dump(kIndent, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  });
}

std::string grid_of(const GenerateJob& job, const data::ImageNpz& images) {
  const data::GridSize size = data::grid_size(job.image, job.count, job.columns);
  std::vector<uint8_t> pixels(static_cast<size_t>(size.images * job.image.numel()));
  images.read(pixels.data(), 0, size.images);
  const data::ImageGrid grid = data::image_grid(pixels.data(), job.image, size);
  return data::encode_png(grid.pixels.data(), grid.image);
}

/// Writes the grid of images that are all there, unless it is there as well.
void add_grid(const GenerateJob& job) {
  const std::string bytes = grid_of(job, data::ImageNpz(job.npz, job.image, job.count));
  if (exists(job.grid)) {
    if (file_text(job.grid) == bytes) return;
    DG_CHECK(job.force, "grid: {} exists and is another grid; choose another file, or --force",
             job.grid);
  }
  as_usage("grid", [&] { write_file(job.grid, bytes); });
}

/// The images that are still missing.
void make_rest(Generator& generator, const GenerateJob& job, data::ImageNpz& images) {
  while (images.size() < job.count) {
    if (job.progress) job.progress(images.size());
    const int64_t count = std::min(job.batch, job.count - images.size());
    const std::vector<uint8_t> pixels = generator.generate(images.size(), count);
    DG_ASSERT(std::ssize(pixels) == count * job.image.numel(), "{} bytes for {} images {}",
              pixels.size(), count, job.image);
    images.append(pixels.data(), count);
  }
}

}  // namespace

const TaskInfo& generating_task(const TrainedModel& trained) {
  const TaskInfo& task = find_task(trained.info.options.task);
  if (!task.can_generate) {
    fail(ErrorKind::checkpoint, "{} is of task {}, which makes no images", trained.path, task.name);
  }
  return task;
}

std::unique_ptr<Generator> make_generator(const TrainedModel& trained, const Selection& options,
                                          uint64_t seed) {
  const TaskInfo& task = generating_task(trained);
  const Options& run = trained.info.options;
  return trained.task->generator(
      *trained.model, {.image = trained.info.data.input,
                       .normalization = run.normalization,
                       .dtype = parse_dtype(run.precision),
                       .seed = seed,
                       .values = OptionValues("sample", options, task.generator_options)});
}

void check_files(const GenerateJob& job) {
  DG_CHECK(!job.npz.empty() || !job.grid.empty(),
           "npz: name a file for the images, --npz FILE or --grid FILE or both");
  std::error_code ignored;
  for (const auto& [option, path] : {std::pair("npz", job.npz), std::pair("grid", job.grid)}) {
    DG_CHECK(path.empty() || !fs::is_directory(path, ignored),
             "{}: {} is a folder, expected the name of a file to write", option, path);
  }
  DG_CHECK(job.npz != job.grid, "grid: {} is the file of --npz as well", job.grid);
  if (!job.grid.empty()) data::grid_size(job.image, job.count, job.columns);
}

GenerateResult generate(Generator& generator, const GenerateJob& job, const ordered_json& record) {
  const Place place(job);
  ordered_json whole = record;
  if (job.npz.empty()) whole["columns"] = job.columns;
  GenerateResult result;
  result.record = place.record;
  const bool has_labels = generator.label(0).has_value();
  const bool known = is_known(job, place, whole);
  if (known && !exists(place.partial) && exists(place.file)) {
    if (!job.npz.empty() && !job.grid.empty()) add_grid(job);
    result.was_done = true;
    result.resumed_at = job.count;
    return result;
  }
  check_space(job, place, has_labels);
  if (!known) begin(place, whole);
  // A file that cannot be written is known now, not after the work.
  std::optional<AtomicFile> grid;
  if (!job.grid.empty()) as_usage("grid", [&] { grid.emplace(job.grid); });
  data::ImageNpz images(place.partial, job.image, job.count);
  result.resumed_at = images.size();
  const auto start = std::chrono::steady_clock::now();
  make_rest(generator, job, images);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  result.seconds = seconds.count();
  if (grid) {
    grid->write(grid_of(job, images));
    grid->commit();
  }
  if (job.npz.empty()) {
    fs::remove(place.partial);
    return result;
  }
  std::function<int64_t(int64_t)> label;
  if (has_labels) label = [&](int64_t image) { return *generator.label(image); };
  images.finish(label);
  rename_file(place.partial, job.npz);
  return result;
}

}  // namespace diagrad::train
