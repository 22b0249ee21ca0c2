#include "diagrad/train/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRuns = "runs";
constexpr std::string_view kMetricsHeader =
    "epoch,step,lr,train_loss,train_accuracy,eval_set,eval_loss,eval_accuracy,"
    "ema_loss,ema_accuracy,seconds,images_per_second";

bool present(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Letters, digits, dot, minus and underscore of a word; everything else becomes a minus.
std::string file_word(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_'; },
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

bool holds_run(const fs::path& folder) {
  const CheckpointFolder checkpoints((folder / "checkpoints").string());
  return checkpoints.has("last") || checkpoints.has("last.prev") ||
         present(folder / "events.jsonl");
}

/// The newest folder in runs/ for these options that has a checkpoint but no result; empty if none.
std::string unfinished_folder(const Options& options) {
  const std::string ending = "-" + run_name(options);
  std::string newest;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(kRuns, problem)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.find(ending) != std::string::npos;
    if (ours && holds_run(entry.path()) && !present(entry.path() / "result.json")) {
      newest = std::max(newest, entry.path().string());
    }
  }
  return newest;
}

/// runs/x for runs/x/checkpoints/last.safetensors; empty for a file elsewhere.
std::string folder_of_run(const std::string& checkpoint) {
  const fs::path folder = fs::path(checkpoint).parent_path();
  if (folder.filename() != "checkpoints" || !present(folder.parent_path() / "config.toml"))
    return {};
  return folder.parent_path().string();
}

/// The field of a CSV line; empty if there is none.
std::string_view field(std::string_view line, int column) {
  for (; column > 0; --column) {
    const auto comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    line.remove_prefix(comma + 1);
  }
  return line.substr(0, line.find(','));
}

bool is_row_up_to(std::string_view line, int64_t step) {
  const std::string_view text = field(line, 1);
  const bool number =
      !text.empty() && text.size() <= 18 &&
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return number && std::stoll(std::string(text)) <= step;
}

/// A number for JSON or CSV: the shortest text that reads back the same; NaN stays out of JSON.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace

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

/// The lock is the system's, so it ends with the process however that dies.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) {
    descriptor_ = open((folder + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);  // NOLINT
    const int reason = errno;
    DG_CHECK(descriptor_ >= 0, "out: cannot write to {}: {}; choose another folder with --out",
             folder, std::strerror(reason));
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    close(descriptor_);
    fail(ErrorKind::usage,
         "out: another process is writing to {}; wait for it or choose another folder with --out",
         folder);
  }
  ~FolderLock() { close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

std::string find_run_folder(const Options& options) {
  std::string path = options.out;
  if (path.empty() && options.resume == "auto") path = unfinished_folder(options);
  if (path.empty() && !options.resume.empty() && options.resume != "auto") {
    path = folder_of_run(options.resume);
  }
  if (path.empty()) path = new_run_folder(options);
  DG_CHECK(!options.resume.empty() || !holds_run(path),
           "out: {} holds a run already; continue it with --resume auto or choose another folder",
           path);
  return path;
}

RunFolder::RunFolder(const Options& options)
    : path_(find_run_folder(options)), checkpoints_(path_ + "/checkpoints") {
  std::error_code problem;
  fs::create_directories(path_, problem);
  DG_CHECK(!problem, "out: {} cannot be made: {}; choose another folder with --out", path_,
           problem.message());
  lock_ = std::make_unique<FolderLock>(path_);
  checkpoints_.prepare();
}

RunFolder::~RunFolder() = default;

void RunFolder::start(const Options& options, int64_t step) {
  std::error_code ignored;
  fs::remove(path_ + "/result.json", ignored);
  fs::remove(path_ + "/samples.json", ignored);
  Options again = options;
  again.out = again.resume = "";  // a run of this file is a new run
  write_file(path_ + "/config.toml", to_toml(again));
  write_file(path_ + "/env.json", environment_json(options));
  seconds_before_ = 0.0;
  events_ = std::make_unique<LogFile>(path_ + "/events.jsonl", [&](std::string_view line) {
    const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object() || !row.contains("step") || !row.contains("seconds")) return false;
    if (!row["step"].is_number_integer() || row["step"].get<int64_t>() > step) return false;
    if (row["seconds"].is_number()) seconds_before_ = row["seconds"].get<double>();
    return true;
  });
  bool header = true;
  metrics_ = std::make_unique<LogFile>(path_ + "/metrics.csv", [&](std::string_view line) {
    return std::exchange(header, false) ? line == kMetricsHeader : is_row_up_to(line, step);
  });
  if (metrics_->empty()) metrics_->add(kMetricsHeader);
  flush();
}

void RunFolder::add(const StepRow& row) {
  events_->add(fmt::format(
      R"({{"step":{},"epoch":{},"images":{},"loss":{},"accuracy":{},"lr":{},"grad_norm":{},"seconds":{:.3f}}})",
      row.step, row.epoch, row.images, number(row.loss), number(row.accuracy), number(row.lr),
      number(row.grad_norm), row.seconds));
}

void RunFolder::add(const EpochRow& row) {
  const auto cell = [](bool given, double value) { return given ? number(value) : ""; };
  const bool evaluated = !row.eval_set.empty();
  metrics_->add(fmt::format("{},{},{},{},{},{},{},{},{},{},{:.3f},{:.1f}", row.epoch, row.step,
                            number(row.lr), number(row.train_loss), number(row.train_accuracy),
                            row.eval_set, cell(evaluated, row.eval_loss),
                            cell(evaluated, row.eval_accuracy), cell(row.has_ema, row.ema_loss),
                            cell(row.has_ema, row.ema_accuracy), row.seconds,
                            row.images_per_second));
}

void RunFolder::flush(bool to_disk) {
  events_->flush(to_disk);
  metrics_->flush(to_disk);
}

void RunFolder::write_result(const std::string& json_text) const {
  write_file(path_ + "/result.json", json_text + "\n");
}

}  // namespace diagrad::train
