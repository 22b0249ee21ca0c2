#include "diagrad/train/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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
  const char* end = text.data() + text.size();
  int64_t value = -1;
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  return problem == std::errc() && stop == end && value >= 0 && value <= step;
}

/// The last column of a row; 0 for what is no number.
double rate_of(std::string_view line) {
  const std::string_view text = line.substr(line.rfind(',') + 1);
  double value = 0.0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && std::isfinite(value) ? value : 0.0;
}

/// A number for JSON or CSV: the shortest text that reads back the same; NaN stays out of JSON.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace

std::string RowLayout::header() const {
  std::string text = "epoch,step,lr";
  const auto add = [&](const std::string& prefix) {
    for (const Metric& metric : metrics) text += "," + prefix + "/" + metric.name;
  };
  add("train");
  add(eval_set);
  if (has_ema) add(eval_set + "_ema");
  return text + ",seconds,images_per_second";
}

/// The lock is the system's, so it ends with the process however that dies.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) {
    descriptor_ = open_descriptor(folder + "/.lock", O_RDWR | O_CREAT);
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

RunFolder::RunFolder(const Options& options)
    : path_(make_run_folder(options)), checkpoints_(path_ + "/checkpoints") {
  lock_ = std::make_unique<FolderLock>(path_);
  checkpoints_.prepare();
}

RunFolder::~RunFolder() = default;

std::string existing_part(const std::string& path) {
  std::error_code ignored;
  fs::path part = path;
  while (!part.empty() && !fs::exists(part, ignored)) part = part.parent_path();
  return part.empty() ? "." : part.string();
}

void check_run_folder(const std::string& folder) {
  const std::string part = existing_part(folder);
  std::error_code ignored;
  DG_CHECK(fs::is_directory(part, ignored),
           "out: {} cannot be made: {} is no folder; choose another folder with --out", folder,
           part);
  const bool writable = access(part.c_str(), W_OK | X_OK) == 0;
  const int reason = errno;
  DG_CHECK(writable, "out: cannot write to {}: {}; choose another folder with --out", part,
           std::strerror(reason));
  if (fs::exists(folder + "/.lock", ignored)) const FolderLock lock(folder);
}

void RunFolder::start(const Options& options, const RowLayout& layout, int64_t step, bool stay) {
  layout_ = layout;
  std::error_code ignored;
  for (const char* name : {"/result.json", "/blocks.json"}) {
    if (!stay) fs::remove(path_ + name, ignored);
  }
  Options again = options;
  again.out = again.resume = "";  // a run of this file is a new run
  again.other_data = false;
  write_file(path_ + "/config.toml", to_toml(again));
  write_file(path_ + "/env.json", environment_json(options, run_number(path_)));
  seconds_before_ = 0.0;
  events_ = std::make_unique<LogFile>(path_ + "/events.jsonl", [&](std::string_view line) {
    const json row = parse_json(line);
    if (!row.is_object() || !row.contains("step") || !row.contains("seconds")) return false;
    if (!count_of(row["step"], step)) return false;
    if (row["seconds"].is_number()) seconds_before_ = row["seconds"].get<double>();
    return true;
  });
  bool header = true;
  rate_before_ = 0.0;
  metrics_ = std::make_unique<LogFile>(path_ + "/metrics.csv", [&](std::string_view line) {
    if (std::exchange(header, false)) return plain_line(line) == layout_.header();
    if (!is_row_up_to(line, step)) return false;
    rate_before_ = rate_of(plain_line(line));
    return true;
  });
  if (metrics_->empty()) metrics_->add(layout_.header());
  flush();
}

void RunFolder::add(const StepRow& row) {
  std::string metrics;
  for (const auto& [name, value] : row.metrics) {
    metrics += fmt::format(R"("train/{}":{},)", name, number(value));
  }
  events_->add(fmt::format(
      R"({{"step":{},"epoch":{},"images":{},{}"lr":{},"grad_norm":{},"seconds":{:.3f}}})", row.step,
      row.epoch, row.images, metrics, number(row.lr), number(row.grad_norm), row.seconds));
}

void RunFolder::add(const EpochRow& row) {
  std::string line = fmt::format("{},{},{}", row.epoch, row.step, number(row.lr));
  const auto add = [&](const MetricValues& values) {
    for (const Metric& metric : layout_.metrics) {
      line += "," + (values.empty() ? "" : number(value_of(values, metric.name)));
    }
  };
  add(row.train);
  add(row.eval);
  if (layout_.has_ema) add(row.ema);
  metrics_->add(line + fmt::format(",{:.3f},{:.1f}", row.seconds, row.images_per_second));
}

void RunFolder::flush(bool to_disk) {
  events_->flush(to_disk);
  metrics_->flush(to_disk);
}

void RunFolder::write_result(const std::string& json_text) const {
  write_file(path_ + "/result.json", json_text + "\n");
}

}  // namespace diagrad::train
