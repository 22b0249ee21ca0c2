#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"
#include "diagrad/core/hash.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/text.h"
#include "diagrad/core/threads.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/list_request.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/generate.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;
using train::TaskInfo;
using train::TrainedModel;

constexpr size_t kWidth = 80;

class SampleCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  void declare_generator_options(Arguments& arguments);
  void check() const;
  Selection generator_selection(const TaskInfo& task) const;
  ordered_json record_of(const TrainedModel& trained, const TaskInfo& task) const;
  void print_words(Console& console, const TrainedModel& trained,
                   const train::Generator& generator) const;
  void print_result(Console& console, const train::GenerateResult& result) const;
  void print_json(Console& console, const TrainedModel& trained, const ordered_json& record,
                  const train::GenerateResult& result) const;

  std::string checkpoint_;
  std::string weights_;
  std::string device_ = "cpu";
  std::string math_;
  int64_t seed_ = 0;
  int64_t threads_ = 0;
  bool quiet_ = false;
  bool json_ = false;
  train::GenerateJob job_;
  /// What was given for options of tasks, by name.
  std::map<std::string, std::string> given_;
};

void SampleCommand::declare(Arguments& arguments) {
  arguments.positional({"CHECKPOINT", "", "",
                        "a checkpoint file, or a run folder: its best checkpoint, else its last"},
                       checkpoint_);
  arguments.heading("What is written");
  arguments.option({"npz", "FILE", "", "all images, and their classes, for numpy.load"}, job_.npz);
  arguments.option({"grid", "FILE", "", "PNG of the first images, up to 1024"}, job_.grid);
  arguments.option({"columns", "N", "0", "of the grid; 0: about as many as rows"}, job_.columns);
  arguments.option({"count", "N", "64", "how many images"}, job_.count);
  arguments.flag({"force", "", "", "replace the images of another command"}, job_.force);
  declare_generator_options(arguments);
  arguments.option({"weights", "TEXT", "", "ema or raw; empty: ema where the run has it"},
                   weights_);
  arguments.option({"seed", "N", "0", "of the noise; an image depends on seed and number"}, seed_);
  arguments.heading("Where it runs");
  arguments.option({"batch", "N", "64", "images at a time; the images do not depend on it"},
                   job_.batch);
  arguments.option({"device", "TEXT", "cpu", "cpu, cuda or cuda:n"}, device_);
  arguments.option({"math", "TEXT", "", "fast or exact convolutions; empty: that of the run"},
                   math_);
  arguments.option({"threads", "N", "0", "of the computation; 0: all cores"}, threads_);
  arguments.flag({"quiet", "", "", "say nothing but errors"}, quiet_);
  arguments.flag({"json", "", "", "print JSON for programs; words go to stderr"}, json_);
}

/// What --help says that a value is.
std::string type_of(const Option& option) {
  if (option.is_list) return "A,B,...";
  if (option.kind == Option::Kind::integer) return "N";
  return option.kind == Option::Kind::floating ? "X" : "TEXT";
}

/// Those of all tasks; an option that several tasks have is declared once.
void SampleCommand::declare_generator_options(Arguments& arguments) {
  std::vector<std::string> declared;
  arguments.heading("How images are made");
  for (const TaskInfo& task : train::tasks()) {
    for (const Option& option : task.generator_options) {
      if (std::find(declared.begin(), declared.end(), option.name) != declared.end()) continue;
      declared.push_back(option.name);
      const auto receive = [this, name = option.name](const std::vector<std::string>& values) {
        given_[name] = values.back();
      };
      const bool is_flag = option.kind == Option::Kind::boolean;
      const ArgumentInfo info{option.name, is_flag ? "" : type_of(option),
                              is_flag ? "" : option.default_value, option.help};
      is_flag ? arguments.flag(info, receive) : arguments.option(info, receive);
    }
  }
}

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
  DG_CHECK(value >= low && value <= high, "{}: {} is out of range, use {} to {}", name, value, low,
           high);
}

/// Mistakes that need no checkpoint to be seen.
void SampleCommand::check() const {
  for (const TaskInfo& task : train::tasks()) {
    for (const train::TaskRegistry& registry : task.registries) {
      const auto given = given_.find(registry.option);
      if (given != given_.end() && given->second == "help") throw ListRequest{registry.plural};
    }
  }
  DG_CHECK(!checkpoint_.empty(),
           "sample: name a checkpoint file or a run folder (see `diagrad sample --help`)");
  check_range("count", job_.count, 1, 1'000'000'000'000);
  check_range("batch", job_.batch, 1, 1'000'000);
  check_range("columns", job_.columns, 0, 1'000'000);
  check_range("seed", seed_, 0, INT64_MAX);
  check_range("threads", threads_, 0, 1024);
  DG_CHECK(weights_.empty() || weights_ == "ema" || weights_ == "raw",
           "weights: '{}' is neither ema nor raw", weights_);
  parse_device(device_);
  if (!math_.empty()) parse_math_mode(math_);
}

/// Splits a list at commas; another value is one part.
std::vector<std::string> parts_of(const Option& option, const std::string& text) {
  std::vector<std::string> parts;
  std::string rest = text;
  while (option.is_list && rest.find(',') != std::string::npos) {
    parts.push_back(rest.substr(0, rest.find(',')));
    rest.erase(0, rest.find(',') + 1);
  }
  parts.push_back(rest);
  return parts;
}

/// The options of the task as they were given, in the form of a selection.
Selection SampleCommand::generator_selection(const TaskInfo& task) const {
  Selection selection{.name = task.name};
  for (const auto& [name, text] : given_) {
    const auto option = std::find_if(
        task.generator_options.begin(), task.generator_options.end(),
        [&, &wanted = name](const Option& declared) { return declared.name == wanted; });
    DG_CHECK(option != task.generator_options.end(), "{}: is no option of task {}", name,
             task.name);
    std::string joined;
    for (const std::string& part : parts_of(*option, text)) {
      check_value(name, *option, parse_value(name, *option, part));
      joined += (joined.empty() ? "" : "+") + part;
    }
    selection.options.emplace_back(name, joined);
  }
  return selection;
}

/// Of everything that decides the trained model.
std::string hash_of(const TrainedModel& trained) {
  Hash hash;
  hash.add(train::to_json(trained.info.options));
  const uint64_t weights = train::checksum(trained.model->state_dict(), {});
  hash.add(&weights, sizeof weights);
  return hash.text();
}

/// Everything that decides the images.
ordered_json SampleCommand::record_of(const TrainedModel& trained, const TaskInfo& task) const {
  const train::Options& options = trained.info.options;
  const Shape& image = trained.info.data.input;
  ordered_json record = {{"format", train::kFormat},
                         {"task", options.task},
                         {"model", options.model},
                         {"attention", options.attention},
                         {"step", trained.info.progress.step},
                         {"weights", trained.weights},
                         {"model_hash", hash_of(trained)},
                         {"math", math_.empty() ? options.math : math_},
                         {"image", {image[0], image[1], image[2]}},
                         {"count", job_.count},
                         {"seed", seed_}};
  for (const Option& option : task.generator_options) {
    const auto given = given_.find(option.name);
    record[option.name] = given == given_.end() ? option.default_value : given->second;
  }
  return record;
}

int SampleCommand::run() {
  check();
  if (threads_ > 0) set_num_threads(static_cast<int>(threads_));
  Console console(quiet_, json_);
  const TrainedModel trained =
      train::load_trained(checkpoint_, weights_ == "raw" ? "trained" : weights_);
  for (const std::string& note : trained.notes) console.note(note);
  const train::Options& options = trained.info.options;
  const TaskInfo& task = train::generating_task(trained);
  job_.image = trained.info.data.input;
  train::check_files(job_);
  const MathModeScope math(parse_math_mode(math_.empty() ? options.math : math_));
  const auto generator =
      train::make_generator(trained, generator_selection(task), static_cast<uint64_t>(seed_));
  print_words(console, trained, *generator);
  job_.progress = [&](int64_t done) {
    const std::string text = fmt::format("{} of {} images", thousands(done), thousands(job_.count));
    console.status(text.substr(0, std::max<size_t>(console.width(), 1) - 1));
  };
  console.flush();
  const ordered_json record = record_of(trained, task);
  const train::GenerateResult result = train::generate(*generator, job_, record);
  console.status("");
  print_result(console, result);
  if (json_) print_json(console, trained, record, result);
  return kDone;
}

void print_wrapped(Console& console, const std::string& text) {
  for (const std::string& line : wrap(text, kWidth)) console.line(line);
}

void SampleCommand::print_words(Console& console, const TrainedModel& trained,
                                const train::Generator& generator) const {
  const train::Options& options = trained.info.options;
  const std::string steps = thousands(trained.info.progress.step);
  const std::string weights = trained.weights == "ema"
                                  ? fmt::format("moving average of {} updates", steps)
                                  : fmt::format("raw weights after {} steps", steps);
  print_wrapped(console,
                fmt::format("{} with attention {}, {}, {}", options.model,
                            printable(options.attention), weights, printable(trained.path)));
  print_wrapped(console, fmt::format("{}, seed {}", printable(generator.text()), seed_));
}

void SampleCommand::print_result(Console& console, const train::GenerateResult& result) const {
  const int64_t made = job_.count - result.resumed_at;
  std::string line = fmt::format("{} images {}", thousands(job_.count), job_.image.str());
  if (result.was_done) {
    line += ", already done";
  } else if (result.resumed_at > 0) {
    line += fmt::format(", {} of them by an earlier process", thousands(result.resumed_at));
  }
  if (made > 0) {
    line += fmt::format(", {} images/s",
                        rate(static_cast<double>(made) / std::max(result.seconds, 1e-9)));
  }
  console.line(console.styled(Style::bold, line));
  if (!job_.npz.empty()) console.line("images in " + printable(job_.npz));
  if (!job_.grid.empty()) console.line("grid in " + printable(job_.grid));
  console.line("how they were made: " + printable(result.record));
}

void SampleCommand::print_json(Console& console, const TrainedModel& trained,
                               const ordered_json& record,
                               const train::GenerateResult& result) const {
  const int64_t made = job_.count - result.resumed_at;
  ordered_json object = record;
  object["checkpoint"] = trained.path;
  object["npz"] = job_.npz;
  object["grid"] = job_.grid;
  object["record"] = result.record;
  object["resumed_at"] = result.resumed_at;
  object["seconds"] = result.seconds;
  object["images_per_second"] = nullptr;
  if (made > 0 && result.seconds > 0.0) {
    object["images_per_second"] = static_cast<double>(made) / result.seconds;
  }
  console.json(object.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

[[maybe_unused]] const bool registered =
    register_command({.name = "sample",
                      .help = "make images with a trained net: an .npz file, a grid",
                      .position = 25,
                      .make = [] { return std::make_unique<SampleCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
