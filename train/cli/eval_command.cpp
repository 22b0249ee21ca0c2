#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/text.h"
#include "diagrad/core/threads.h"
#include "diagrad/data/registry.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/progress.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;
using train::Evaluation;
using train::TrainedModel;

/// Larger matrices are told by their largest entries.
constexpr size_t kWidestMatrix = 12;

class EvalCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  void open_logits(std::optional<train::AtomicFile>& file) const;
  Evaluation evaluate(const TrainedModel& trained, const data::DatasetPtr& set, bool keep_logits,
                      Console& console) const;
  void print_json(Console& console, const TrainedModel& trained, const data::DatasetInfo& info,
                  const Evaluation& result) const;
  void print_words(Console& console, const TrainedModel& trained, const data::DatasetInfo& info,
                   const Evaluation& result) const;

  std::string checkpoint_;
  std::string data_;
  std::string logits_;
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
                        "a checkpoint file, or a run folder: its best checkpoint, else its last"},
                       checkpoint_);
  arguments.option({"data", "TEXT", "", "folder, or a set by name; empty: that of the run"}, data_);
  arguments.option({"save-logits", "FILE", "",
                    "safetensors with logits [N,K] and labels [N], in the order of the set"},
                   logits_);
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
  if (info.image.back() != trained.info.input.back()) {
    fail(ErrorKind::data, "data: {} has images of shape {}, {} was trained on {}", info.name,
         info.image.str(), trained.path, trained.info.input.str());
  }
  if (info.class_count() > trained.info.options.classes) {
    fail(ErrorKind::data, "data: {} has {} classes, {} has outputs for {}", info.name,
         info.class_count(), trained.path, trained.info.options.classes);
  }
}

int EvalCommand::run() {
  DG_CHECK(!checkpoint_.empty(),
           "eval: name a checkpoint file or a run folder (see `diagrad eval --help`)");
  check_range("batch", batch_, 1, 1'000'000);
  check_range("threads", threads_, 0, 1024);
  check_range("workers", workers_, 0, 256);
  parse_device(device_);
  if (!math_.empty()) parse_math_mode(math_);
  if (threads_ > 0) set_num_threads(static_cast<int>(threads_));
  Console console(quiet_, json_);
  const TrainedModel trained = train::load_trained(checkpoint_);
  for (const std::string& note : trained.notes) console.note(note);
  const MathModeScope math(parse_math_mode(math_.empty() ? trained.info.options.math : math_));
  const std::string& data = data_.empty() ? trained.info.options.data : data_;
  const data::DatasetPtr set = data::open_dataset(data).test;
  check_data(trained, set->info());
  // A file that cannot be written is known now, not after the work.
  std::optional<train::AtomicFile> file;
  if (!logits_.empty()) open_logits(file);
  const Evaluation result = evaluate(trained, set, file.has_value(), console);
  if (file) {
    train::write_safetensors(*file, {{"logits", result.logits}, {"labels", result.labels}}, {});
    file->commit();
  }
  if (json_) print_json(console, trained, set->info(), result);
  print_words(console, trained, set->info(), result);
  return kDone;
}

void EvalCommand::open_logits(std::optional<train::AtomicFile>& file) const {
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
  options.keep_logits = keep_logits;
  options.progress = [&](int64_t done, int64_t total) {
    const std::string text = fmt::format("{} of {} images", thousands(done), thousands(total));
    console.status(text.substr(0, std::max<size_t>(console.width(), 1) - 1));
    return true;
  };
  Evaluation result = train::evaluate(*trained.model, set, options);
  console.status("");
  return result;
}

void EvalCommand::print_json(Console& console, const TrainedModel& trained,
                             const data::DatasetInfo& info, const Evaluation& result) const {
  const train::Options& options = trained.info.options;
  const ordered_json object = {{"format", 1},
                               {"task", options.task},
                               {"model", options.model},
                               {"attention", options.attention},
                               {"data", data_.empty() ? options.data : data_},
                               {"checkpoint", trained.path},
                               {"epoch", trained.info.progress.epoch},
                               {"step", trained.info.progress.step},
                               {"weights", trained.weights},
                               {"examples", result.examples},
                               {"loss", result.loss},
                               {"accuracy", result.accuracy},
                               {"classes", info.classes},
                               {"per_class", result.per_class},
                               {"confusion", result.confusion}};
  console.json(object.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

/// The name of a class for a terminal, cut to `width` columns.
std::string class_name(const data::DatasetInfo& info, size_t label, size_t width) {
  if (label >= info.classes.size()) return fmt::format("output {}", label);
  return printable(info.classes[label]).substr(0, width);
}

void print_matrix(Console& console, const data::DatasetInfo& info, const Evaluation& result) {
  std::vector<std::string> headings = {"true \\ said"};
  for (size_t k = 0; k < result.confusion.size(); ++k) {
    headings.push_back(">" + class_name(info, k, 4));
  }
  std::vector<std::vector<std::string>> rows;
  for (size_t truth = 0; truth < result.confusion.size(); ++truth) {
    rows.push_back({class_name(info, truth, 14)});
    for (const int64_t count : result.confusion[truth]) {
      rows.back().push_back(count == 0 ? "." : thousands(count));
    }
  }
  for (const std::string& line : table(headings, rows)) console.line(line);
}

/// The mistakes that are made most often.
void print_mistakes(Console& console, const data::DatasetInfo& info, const Evaluation& result) {
  std::vector<std::tuple<int64_t, size_t, size_t>> mistakes;
  for (size_t truth = 0; truth < result.confusion.size(); ++truth) {
    for (size_t said = 0; said < result.confusion.size(); ++said) {
      const int64_t count = result.confusion[truth][said];
      if (truth != said && count > 0) mistakes.emplace_back(-count, truth, said);
    }
  }
  std::sort(mistakes.begin(), mistakes.end());
  mistakes.resize(std::min<size_t>(mistakes.size(), 10));
  std::vector<std::vector<std::string>> rows;
  for (const auto& mistake : mistakes) {
    rows.push_back({class_name(info, std::get<1>(mistake), 24),
                    class_name(info, std::get<2>(mistake), 24), thousands(-std::get<0>(mistake))});
  }
  for (const std::string& line : table({"true class", "taken for", ">times"}, rows)) {
    console.line(line);
  }
}

void EvalCommand::print_words(Console& console, const TrainedModel& trained,
                              const data::DatasetInfo& info, const Evaluation& result) const {
  const train::Options& options = trained.info.options;
  console.line(fmt::format("{} with attention {}, {} weights after epoch {}, {}", options.model,
                           printable(options.attention), trained.weights,
                           trained.info.progress.epoch, printable(trained.path)));
  console.line("");
  std::vector<std::vector<std::string>> rows;
  for (size_t k = 0; k < info.classes.size(); ++k) {
    rows.push_back(
        {class_name(info, k, 40), thousands(result.images[k]), percent(result.per_class[k])});
  }
  for (const std::string& line : table({"class", ">images", ">accuracy"}, rows)) {
    console.line(line);
  }
  console.line("");
  if (!result.confusion.empty()) {
    const bool narrow = result.confusion.size() <= kWidestMatrix;
    narrow ? print_matrix(console, info, result) : print_mistakes(console, info, result);
    console.line("");
  }
  console.line(console.styled(
      Style::bold, fmt::format("accuracy {:.2f} % of {} test images, loss {:.4f}",
                               100.0 * result.accuracy, thousands(result.examples), result.loss)));
  if (!logits_.empty()) console.line("logits in " + printable(logits_));
}

}  // namespace

std::unique_ptr<Command> make_eval_command() {
  return std::make_unique<EvalCommand>();
}

}  // namespace diagrad::cli
