#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/text.h"
#include "diagrad/core/threads.h"
#include "diagrad/data/identity.h"
#include "diagrad/data/registry.h"
#include "diagrad/models/registry.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/frechet.h"
#include "diagrad/train/cli/progress.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/option_effect.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;
using train::Evaluation;
using train::TrainedModel;

/// Larger matrices are not printed.
constexpr size_t kWidestMatrix = 12;
/// Longer tables are printed without rows that have no value.
constexpr size_t kLongTable = 100;

class EvalCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  void check_arguments() const;
  int compare_images(Console& console) const;
  void open_logits(std::optional<AtomicFile>& file) const;
  Evaluation evaluate(const TrainedModel& trained, const data::DatasetPtr& set, bool keep_logits,
                      Console& console) const;
  void print_json(Console& console, const TrainedModel& trained, const data::DatasetInfo& info,
                  const Evaluation& result) const;
  void print_words(Console& console, const TrainedModel& trained, const Evaluation& result) const;

  std::string checkpoint_;
  std::string data_;
  std::string logits_;
  std::string measure_;
  std::string classifier_;
  std::string reference_;
  int64_t count_ = 0;
  std::string device_ = "cpu";
  std::string math_;
  int64_t batch_ = 256;
  int64_t threads_ = 0;
  int64_t workers_ = 2;
  bool quiet_ = false;
  bool json_ = false;
};

void EvalCommand::declare(Arguments& arguments) {
  arguments.positional({"CHECKPOINT", "", "",
                        "a checkpoint file, or a run folder: its best checkpoint, else its last; "
                        "with --frechet: images, as --data names them, or a trained generator"},
                       checkpoint_);
  arguments.option({"data", "TEXT", "", "folder, or a set by name; empty: that of the run"}, data_);
  arguments.option({"save-logits", "FILE", "",
                    "safetensors with logits [N,K] and labels [N], in the order of the set"},
                   logits_);
  arguments.option({"measure", "TEXT", "",
                    "name:option=value,...: instead of the task's metrics; `diagrad tasks` lists "
                    "what each has"},
                   measure_);
  arguments.option({"frechet", "CLASSIFIER", "",
                    "instead of an evaluation: the Frechet distance of the test images that the "
                    "argument names, or that it makes, from training images, on the features of "
                    "this checkpoint"},
                   classifier_);
  arguments.option({"reference", "TEXT", "",
                    "with --frechet: whose training images; empty: those of the classifier"},
                   reference_);
  arguments.option({"count", "N", "0", "with --frechet: how many images; 0: all"}, count_);
  arguments.option({"batch", "N", "256", "images per batch"}, batch_);
  arguments.option({"device", "TEXT", "cpu", "cpu, cuda or cuda:n"}, device_);
  arguments.option({"math", "TEXT", "", "fast or exact convolutions; empty: that of the run"},
                   math_);
  arguments.option({"threads", "N", "0", "of the computation; 0: all cores"}, threads_);
  arguments.option({"workers", "N", "2", "threads that prepare batches"}, workers_);
  arguments.flag({"quiet", "", "", "say nothing but errors"}, quiet_);
  arguments.flag({"json", "", "", "print JSON for programs; words go to stderr"}, json_);
}

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
  DG_CHECK(value >= low && value <= high, "{}: {} is out of range, use {} to {}", name, value, low,
           high);
}

/// Throws where the images are not for this model.
void check_data(const TrainedModel& trained, const data::DatasetInfo& info) {
  const train::TaskInfo& task = train::find_task(trained.info.options.task);
  train::check_data(task, info);
  if (info.image.back() != trained.info.data.input.back()) {
    fail(ErrorKind::data, "data: {} has images of shape {}, {} was trained on {}", info.name,
         info.image.str(), trained.path, trained.info.data.input.str());
  }
  // Outputs stand for classes, except in images, where they are channels.
  if (task.output != models::Output::image && info.class_count() > trained.info.options.classes) {
    fail(ErrorKind::data, "data: {} has {} classes, {} has outputs for {}", info.name,
         info.class_count(), trained.path, trained.info.options.classes);
  }
}

/// The test set with its classes where the model has them. What differs from the run's data is a
/// note; classes that the model does not know are refused.
data::DatasetPtr test_set(const TrainedModel& trained, const data::DatasetSplits& splits,
                          Console& console) {
  for (const std::string& note : splits.notes) console.note(note);
  check_data(trained, splits.test->info());
  const data::DataIdentity& run = trained.info.data;
  const data::DataIdentity here = data::identify(splits);
  const std::vector<std::string> differing = data::differences(run, here);
  if (differing.empty()) return splits.test;
  const std::string text = fmt::format("{}", fmt::join(differing, "; "));
  const data::ClassMatch match = data::match_classes(run.classes, here.classes);
  if (match == data::ClassMatch::other) {
    fail(ErrorKind::data,
         "data: {} has other classes than {} was trained on: {}; evaluate it on data with its "
         "classes",
         here.name, trained.path, text);
  }
  console.note(fmt::format("these are not the data that it was trained on: {}", text));
  if (match == data::ClassMatch::same) return splits.test;
  console.note("the classes are matched by their names");
  return data::with_classes(splits.test, run.classes);
}

/// Says what the model does to images of another size than it was made for.
void note_size(const TrainedModel& trained, const data::DatasetInfo& info, Console& console) {
  const train::Options& options = trained.info.options;
  const models::ModelInfo& model = models::find(options.model);
  const Shape& made_for = trained.info.data.input;
  if (info.image == made_for || !model.at_other_sizes) return;
  const std::string note = model.at_other_sizes(
      {"model-opt", {options.model, train::model_options(options)}, model.options});
  if (note.empty()) return;
  console.note(fmt::format("{} was made for images of {}, these are {}: {}", options.model,
                           made_for.str(), info.image.str(), note));
}

void EvalCommand::check_arguments() const {
  DG_CHECK(!checkpoint_.empty(),
           "eval: name a checkpoint file or a run folder (see `diagrad eval --help`)");
  check_range("batch", batch_, 1, 1'000'000);
  check_range("threads", threads_, 0, 1024);
  check_range("workers", workers_, 0, 256);
  check_range("count", count_, 0, int64_t{1} << 40);
  parse_device(device_);
  if (!math_.empty()) parse_math_mode(math_);
  if (classifier_.empty()) {
    DG_CHECK(reference_.empty() && count_ == 0,
             "{}: is of --frechet, which is not there; leave it out",
             count_ == 0 ? "reference" : "count");
  } else {
    const bool is_alone = data_.empty() && logits_.empty() && measure_.empty();
    DG_CHECK(is_alone,
             "{}: does not go with --frechet, which compares the images of the argument; leave it "
             "out",
             !data_.empty() ? "data" : (logits_.empty() ? "measure" : "save-logits"));
  }
}

int EvalCommand::compare_images(Console& console) const {
  print_frechet(console, {.images = checkpoint_,
                          .classifier = classifier_,
                          .reference = reference_,
                          .count = count_,
                          .batch = batch_,
                          .workers = static_cast<int>(workers_),
                          .math = math_,
                          .json = json_});
  return kDone;
}

int EvalCommand::run() {
  check_arguments();
  if (threads_ > 0) set_num_threads(static_cast<int>(threads_));
  Console console(quiet_, json_);
  if (!classifier_.empty()) return compare_images(console);
  TrainedModel trained = train::load_trained(checkpoint_);
  for (const std::string& note : trained.notes) console.note(note);
  if (!measure_.empty()) {
    trained.task = train::make_measure(trained.info.options.task, measure_);
  }
  const MathModeScope math(parse_math_mode(math_.empty() ? trained.info.options.math : math_));
  const std::string& data = data_.empty() ? trained.info.options.data : data_;
  const data::DatasetPtr set = test_set(trained, data::open_dataset(data), console);
  note_size(trained, set->info(), console);
  // A file that cannot be written is known now, not after the work.
  std::optional<AtomicFile> file;
  if (!logits_.empty()) open_logits(file);
  const Evaluation result = evaluate(trained, set, file.has_value(), console);
  if (file) {
    DG_CHECK(!result.outputs.empty(), "save-logits: task {} gives none; leave --save-logits out",
             trained.info.options.task);
    nn::write_safetensors(*file, result.outputs, {});
    file->commit();
  }
  if (json_) print_json(console, trained, set->info(), result);
  print_words(console, trained, result);
  return kDone;
}

void EvalCommand::open_logits(std::optional<AtomicFile>& file) const {
  std::error_code ignored;
  DG_CHECK(!std::filesystem::is_directory(logits_, ignored),
           "save-logits: {} is a folder, expected the name of a file to write", logits_);
  try {
    file.emplace(logits_);
  } catch (const Error& error) {
    fail(ErrorKind::usage, "save-logits: {}; name a file in a folder that can be written",
         error.what());
  }
}

Evaluation EvalCommand::evaluate(const TrainedModel& trained, const data::DatasetPtr& set,
                                 bool keep_logits, Console& console) const {
  train::EvaluateOptions options;
  options.batch = batch_;
  options.workers = static_cast<int>(workers_);
  options.normalization = trained.info.options.normalization;
  options.keep_outputs = keep_logits;
  options.progress = [&](int64_t done, int64_t total) {
    const std::string text = fmt::format("{} of {} images", thousands(done), thousands(total));
    console.status(text.substr(0, std::max<size_t>(console.width(), 1) - 1));
    return true;
  };
  Evaluation result = train::evaluate(*trained.task, *trained.model, set, options);
  console.status("");
  return result;
}

void EvalCommand::print_json(Console& console, const TrainedModel& trained,
                             const data::DatasetInfo& info, const Evaluation& result) const {
  const train::Options& options = trained.info.options;
  ordered_json object = {{"format", train::kFormat},
                         {"task", parse_selection("task", options.task).name},
                         {"model", options.model},
                         {"attention", options.attention},
                         {"data", data_.empty() ? options.data : data_},
                         {"checkpoint", trained.path},
                         {"epoch", trained.info.progress.epoch},
                         {"step", trained.info.progress.step},
                         {"weights", trained.weights},
                         {"examples", result.examples},
                         {"metric", trained.task->primary().name},
                         {"classes", info.classes}};
  if (!measure_.empty()) object["measure"] = measure_;
  for (const auto& [name, value] : result.metrics) object[name] = value;
  object.update(ordered_json::parse(result.details));
  console.json(object.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

/// A name for a terminal, cut to `width` columns.
std::string short_name(const std::string& name, size_t width) {
  return std::string(first_columns(printable(name), width));
}

void print_block(Console& console, const train::Matrix& matrix) {
  if (matrix.counts.empty() || matrix.counts.size() > kWidestMatrix) return;
  std::vector<std::string> headings = {"true \\ predicted"};
  std::vector<std::vector<std::string>> rows;
  for (size_t row = 0; row < matrix.counts.size(); ++row) {
    headings.push_back(">" + short_name(matrix.names[row], 4));
    rows.push_back({short_name(matrix.names[row], 16)});
    for (const int64_t count : matrix.counts[row]) {
      rows.back().push_back(count == 0 ? "." : thousands(count));
    }
  }
  for (const std::string& line : table(headings, rows)) console.line(line);
  console.line("");
}

void print_block(Console& console, const train::Table& block) {
  if (block.row_names.empty()) return;
  std::vector<std::string> headings = {block.row_heading};
  for (const train::Column& column : block.columns) headings.push_back(">" + column.name);
  std::vector<std::vector<std::string>> rows;
  const bool is_long = block.row_names.size() > kLongTable;
  for (size_t row = 0; row < block.row_names.size(); ++row) {
    if (is_long && std::isnan(block.columns.back().values[row])) continue;
    rows.push_back({short_name(block.row_names[row], 40)});
    for (const train::Column& column : block.columns) {
      const double value = column.values[row];
      rows.back().push_back(column.is_share        ? percent(value)
                            : std::isfinite(value) ? fmt::format("{:.6g}", value)
                                                   : "-");
    }
  }
  for (const std::string& line : table(headings, rows)) console.line(line);
  console.line("");
}

/// Series and galleries are for the report.
template <typename Other>
void print_block(Console& /*console*/, const Other& /*block*/) {}

void EvalCommand::print_words(Console& console, const TrainedModel& trained,
                              const Evaluation& result) const {
  const train::Options& options = trained.info.options;
  console.line(fmt::format("{} with attention {}, {} weights after epoch {}, {}", options.model,
                           printable(options.attention), trained.weights,
                           trained.info.progress.epoch, printable(trained.path)));
  console.line("");
  for (const train::Block& block : result.blocks) {
    std::visit([&](const auto& content) { print_block(console, content); }, block);
  }
  const train::Metric metric = trained.task->primary();
  const std::string figure = train::exact_metric_text(metric, result.metric(metric.name));
  std::string line =
      fmt::format("{} {} of {} test images", metric.name, figure, thousands(result.examples));
  for (const train::Metric& other : trained.task->all_metrics()) {
    if (other.name == metric.name) continue;
    line +=
        fmt::format(", {} {}", other.name, train::metric_text(other, result.metric(other.name)));
  }
  console.line(console.styled(Style::bold, line));
  if (!logits_.empty()) console.line("logits in " + printable(logits_));
}

[[maybe_unused]] const bool registered =
    register_command({.name = "eval",
                      .help = "evaluate a checkpoint: its metrics, by class, confusions",
                      .position = 20,
                      .make = [] { return std::make_unique<EvalCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
