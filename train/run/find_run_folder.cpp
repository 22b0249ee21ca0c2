#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/toml.h"
#include "diagrad/train/run/run_folder.h"

// Which folder a run has: what it is called, and where one goes on.

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRuns = "runs";

bool present(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// ASCII letters, digits, dot, minus and underscore of a word, in any locale; everything else
/// becomes a minus.
std::string file_word(std::string text) {
  constexpr std::string_view kKept =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
  std::replace_if(
      text.begin(), text.end(), [&](char c) { return kKept.find(c) == std::string_view::npos; },
      '-');
  return text;
}

std::string data_word(const std::string& data) {
  const std::string name = data.substr(0, data.find(':'));
  const fs::path path(name);
  return file_word((path.has_filename() ? path : path.parent_path()).filename().string());
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  localtime_r(&now, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return text;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The number in a folder's env.json; 0 where there is none.
int64_t number_in(const fs::path& folder) {
  return json_count(file_json((folder / "env.json").string()), "number");
}

/// What a folder's name says: when the run began, by the clock and the time zone of then, and its
/// number among those of the same second.
using NamedAge = std::pair<std::string, int64_t>;

/// The larger, the newer. The number comes first, as clocks are set back and time zones change;
/// two runs that began at the same moment may have the same.
using Age = std::pair<int64_t, NamedAge>;

/// Of a folder <date-time>-<run> or <date-time>-<run>-<number>; nothing for other names.
std::optional<NamedAge> named_age(const std::string& folder, const std::string& run) {
  constexpr size_t kDate = 8;
  constexpr size_t kTime = 15;  // 20260131-235959
  const std::string_view name = folder;
  if (name.size() < kTime || name[kDate] != '-' || !is_number(name.substr(0, kDate)) ||
      !is_number(name.substr(kDate + 1, kTime - kDate - 1))) {
    return std::nullopt;
  }
  const std::string begin = folder.substr(0, kTime) + "-" + run;
  if (folder.compare(0, begin.size(), begin) != 0) return std::nullopt;
  const std::string_view rest = name.substr(begin.size());
  if (rest.empty()) return NamedAge{folder.substr(0, kTime), 1};
  if (rest.front() != '-' || !is_number(rest.substr(1))) return std::nullopt;
  return NamedAge{folder.substr(0, kTime), std::stoll(std::string(rest.substr(1)))};
}

/// run_name() of the options in a folder's config.toml; empty where it cannot be read. A name alone
/// may mean two: the tenth run on `cifar` of a second, and the first on `cifar-10`.
std::string configured_name(const fs::path& folder) {
  Options options;
  const std::map<std::string, std::string*> wanted = {
      {"model", &options.model}, {"attention", &options.attention}, {"data", &options.data}};
  try {
    for (const Setting& setting : read_toml((folder / "config.toml").string())) {
      const auto found = wanted.find(setting.name);
      if (found != wanted.end() && !setting.values.empty()) *found->second = setting.values.back();
    }
  } catch (const Error&) {
    return {};
  }
  return run_name(options);
}

/// The newest folder in runs/ for these options that has a checkpoint but no result; empty if none.
std::string unfinished_folder(const Options& options) {
  const std::string run = run_name(options);
  std::optional<Age> newest;
  std::string path;
  std::error_code problem;
  for (fs::directory_iterator entry(kRuns, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const auto name = named_age(entry->path().filename().string(), run);
    const bool unfinished =
        name && holds_run(entry->path().string()) && !present(entry->path() / "result.json");
    if (!unfinished) continue;
    const Age age{number_in(entry->path()), *name};
    if ((newest && age < *newest) || configured_name(entry->path()) != run) continue;
    newest = age;
    path = entry->path().string();
  }
  return path;
}

/// Whether a file, links followed, is one of a run folder's checkpoints. One that is not there is
/// for its reader to tell.
bool is_checkpoint_of(const std::string& file, const std::string& folder) {
  std::error_code problem;
  const fs::path real = fs::canonical(file, problem);
  if (problem) return true;
  return fs::equivalent(real.parent_path(), fs::path(folder) / "checkpoints", problem);
}

/// runs/x for runs/x/checkpoints/last.safetensors; empty for a file elsewhere.
std::string folder_of_run(const std::string& checkpoint) {
  const fs::path folder = fs::path(checkpoint).parent_path();
  if (folder.filename() != "checkpoints" || !present(folder.parent_path() / "config.toml"))
    return {};
  return folder.parent_path().string();
}

/// False: it was there before.
bool make_folder(const std::string& path) {
  std::error_code problem;
  const bool is_made = fs::create_directories(path, problem);
  DG_CHECK(!problem, "out: {} cannot be made: {}; choose another folder with --out", path,
           problem.message());
  return is_made;
}

}  // namespace

bool holds_run(const std::string& folder) {
  const CheckpointFolder checkpoints(folder + "/checkpoints");
  return checkpoints.has("last") || checkpoints.has("last.prev") ||
         present(folder + "/events.jsonl");
}

std::string run_name(const Options& options) {
  return fmt::format("{}-{}-{}", file_word(options.model),
                     file_word(options.attention.substr(0, options.attention.find(':'))),
                     data_word(options.data));
}

std::string new_run_folder(const Options& options) {
  const std::string first = fmt::format("{}/{}-{}", kRuns, local_time(), run_name(options));
  std::string path = first;
  for (int number = 2; present(path); ++number) path = fmt::format("{}-{}", first, number);
  return path;
}

int64_t run_number(const std::string& folder) {
  std::error_code problem;
  const fs::path place = fs::canonical(folder, problem).parent_path();
  if (problem || !fs::equivalent(place, kRuns, problem)) return 0;
  if (const int64_t own = number_in(folder); own > 0) return own;
  int64_t largest = 0;
  for (fs::directory_iterator entry(kRuns, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    largest = std::max(largest, number_in(entry->path()));
  }
  return largest + 1;
}

std::string make_new_run_folder(const Options& options) {
  for (;;) {
    const std::string path = new_run_folder(options);
    if (make_folder(path)) return path;
  }
}

std::string make_run_folder(const Options& options) {
  for (std::string path = find_run_folder(options);;) {
    if (make_folder(path)) return path;
    const std::string again = find_run_folder(options);
    if (again == path) return path;
    path = again;
  }
}

std::string find_run_folder(const Options& options) {
  const bool from_file = !options.resume.empty() && options.resume != "auto";
  std::string path = options.out;
  if (path.empty() && options.resume == "auto") path = unfinished_folder(options);
  if (path.empty() && from_file) path = folder_of_run(options.resume);
  if (path.empty()) path = new_run_folder(options);
  DG_CHECK(!options.resume.empty() || !holds_run(path),
           "out: {} holds a run already; continue it with --resume auto or choose another folder",
           path);
  DG_CHECK(!from_file || !holds_run(path) || is_checkpoint_of(options.resume, path),
           "out: {} holds a run, and {} is none of its checkpoints; choose a new folder, or "
           "continue the run that is there with --resume auto",
           path, options.resume);
  return path;
}

}  // namespace diagrad::train
