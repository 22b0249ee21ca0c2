#include "diagrad/train/run/checkpoint_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_in(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    files.push_back(entry->path());
  }
  if (problem) {
    fail(ErrorKind::checkpoint, "{}: cannot read the folder: {}", folder, problem.message());
  }
  return files;
}

/// The number of a file epoch-NNNN.safetensors; -1 for other names.
int64_t epoch_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  if (path.extension() != ".safetensors" || stem.rfind("epoch-", 0) != 0) return -1;
  const std::string digits = stem.substr(6);
  const bool number =
      !digits.empty() && digits.size() <= 9 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::stoll(digits) : -1;
}

}  // namespace

void CheckpointFolder::prepare() const {
  std::error_code problem;
  fs::create_directories(folder_, problem);
  if (problem) {
    fail(ErrorKind::checkpoint, "{}: cannot be made: {}; choose another folder with --out", folder_,
         problem.message());
  }
  for (const fs::path& path : files_in(folder_)) {
    if (path.extension() == ".tmp") fs::remove(path, problem);
  }
}

bool CheckpointFolder::has(const std::string& name) const {
  std::error_code ignored;
  return fs::exists(file(name), ignored);
}

bool CheckpointFolder::has_others() const {
  std::error_code ignored;
  if (!fs::is_directory(folder_, ignored)) return false;
  const std::vector<fs::path> files = files_in(folder_);
  return std::any_of(files.begin(), files.end(), [](const fs::path& path) {
    return path.stem() == "best" || epoch_of(path) >= 0;
  });
}

int64_t CheckpointFolder::bytes() const {
  std::set<std::pair<dev_t, ino_t>> seen;
  int64_t sum = 0;
  std::error_code ignored;
  if (!fs::exists(folder_, ignored)) return sum;  // a run that has not begun
  for (const fs::path& path : files_in(folder_)) {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) continue;
    if (seen.emplace(status.st_dev, status.st_ino).second) sum += status.st_size;
  }
  return sum;
}

std::optional<CheckpointFolder::Found> CheckpointFolder::find_last() {
  last_is_good_ = false;
  std::string damage;
  if (has("last")) {
    try {
      Found found{read_checkpoint(file("last")), file("last"), ""};
      last_is_good_ = true;
      return found;
    } catch (const Error& error) {
      damage = error.what();
    }
  }
  if (!has("last.prev")) {
    if (damage.empty() && !has_others()) return std::nullopt;
    if (damage.empty()) {
      fail(ErrorKind::checkpoint,
           "{}: has no last checkpoint, but others; go on from one of them with --resume FILE, or "
           "choose another folder with --out",
           folder_);
    }
    fail(ErrorKind::checkpoint, "{}; there is none before it, remove it to start again", damage);
  }
  try {
    return Found{read_checkpoint(file("last.prev")), file("last.prev"),
                 damage.empty() ? "" : damage + "; continuing with the one before it"};
  } catch (const Error& error) {
    if (damage.empty()) throw;
    fail(ErrorKind::checkpoint, "{}; and the one before it: {}", damage, error.what());
  }
}

void CheckpointFolder::check_newest(const Progress& given, const std::string& path) {
  std::error_code ignored;
  if (fs::equivalent(path, file("last"), ignored)) {
    last_is_good_ = true;
    return;
  }
  Progress newest;
  try {
    const auto found = find_last();
    if (!found) return;
    newest = found->checkpoint.info.progress;
  } catch (const Error&) {
    return;  // nothing else can be used
  }
  const auto place = [](const Progress& p) { return std::pair(p.step, p.epoch); };
  DG_CHECK(
      place(given) >= place(newest),
      "resume: {} is at step {}, and its run has come to step {}; go back in a new folder with "
      "--out, or go on with --resume auto",
      path, given.step, newest.step);
}

void CheckpointFolder::save_last(const Checkpoint& checkpoint) {
  AtomicFile next(file("last"));
  write_checkpoint(next, checkpoint);
  next.finish();
  // From here to commit() only last.prev is there. A damaged `last` must not replace it.
  if (last_is_good_ && has("last")) rename_file(file("last"), file("last.prev"));
  next.commit();
  last_is_good_ = true;
}

void CheckpointFolder::keep_epoch(int64_t epoch, int64_t keep) const {
  link_file(file("last"), file(fmt::format("epoch-{:04}", epoch)));
  if (keep == 0) return;
  std::vector<std::pair<int64_t, fs::path>> kept;
  for (const fs::path& path : files_in(folder_)) {
    const int64_t number = epoch_of(path);
    if (number >= 0 && number <= epoch) kept.emplace_back(number, path);
  }
  std::sort(kept.begin(), kept.end());
  std::error_code ignored;
  for (size_t i = 0; i + static_cast<size_t>(keep) < kept.size(); ++i) {
    fs::remove(kept[i].second, ignored);
  }
}

int64_t space_to_come(int64_t one, int64_t kept, int64_t present) {
  constexpr int64_t kAtOnce = 4;
  return std::max(one, (kAtOnce + kept) * one - present);
}

void check_space(const std::string& folder, int64_t needed, uintmax_t available) {
  if (available >= static_cast<uintmax_t>(needed)) return;
  constexpr int64_t kMiB = 1 << 20;
  fail(ErrorKind::checkpoint,
       "{}: has {} MiB of free space, the checkpoints to come need {}; free some or choose another "
       "folder with --out",
       folder, static_cast<int64_t>(available) / kMiB, (needed + kMiB - 1) / kMiB);
}

}  // namespace diagrad::train
