#include "diagrad/train/tasks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"

namespace diagrad::train {
namespace {

/// Names that the documentation mentions already.
constexpr std::array<std::string_view, 2> kPlanned = {"segment", "detect"};

Registry<TaskInfo>& registry() {
  static Registry<TaskInfo> all("task");
  return all;
}

bool fits(const TaskInfo& task, const models::ModelInfo& model) {
  return model.output == task.output &&
         std::find(model.calls.begin(), model.calls.end(), task.call) != model.calls.end();
}

std::string calls_text(const models::ModelInfo& model) {
  std::string text;
  for (const models::CallForm call : model.calls) {
    text += (text.empty() ? "" : " or ") + std::string(models::name(call));
  }
  return text;
}

}  // namespace

std::unique_ptr<Generator> Task::generator(nn::Module& /*model*/,
                                           const GeneratorOptions& /*options*/) const {
  return nullptr;
}

std::vector<Metric> Task::all_metrics() const {
  std::vector<Metric> all = {{.name = "loss", .higher_is_better = false}};
  const std::vector<Metric>& own = metrics();
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Metric Task::primary() const {
  const std::vector<Metric> all = all_metrics();
  return all.size() > 1 ? all[1] : all[0];
}

MetricValues Task::all_values(const MetricSums& sums) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  MetricValues all = {
      {"loss", sums.examples > 0 ? sums.loss / static_cast<double>(sums.examples) : none}};
  const std::vector<double> own = values(sums);
  for (size_t i = 0; i < metrics().size(); ++i) all.emplace_back(metrics()[i].name, own.at(i));
  return all;
}

bool register_task(TaskInfo info) {
  return registry().add(std::move(info));
}

const std::vector<TaskInfo>& tasks() {
  return registry().all();
}

const TaskInfo& find_task(std::string_view text) {
  const std::string name = parse_selection("task", text).name;
  const auto has_name = [&](const auto& entry) { return entry.name == name; };
  const bool is_registered = std::any_of(tasks().begin(), tasks().end(), has_name);
  if (!is_registered && std::find(kPlanned.begin(), kPlanned.end(), name) != kPlanned.end()) {
    std::vector<std::string> names;
    for (const TaskInfo& info : tasks()) names.push_back(info.name);
    fail(ErrorKind::usage, "task: {} is not in this version yet, it trains: {}", name,
         fmt::join(names, ", "));
  }
  return registry().find(name);
}

std::shared_ptr<const Task> make_task(std::string_view text) {
  const TaskInfo& info = find_task(text);
  return info.make(OptionValues("task", parse_selection("task", text), info.options));
}

std::shared_ptr<const Task> make_measure(std::string_view task, std::string_view text) {
  const TaskInfo& info = find_task(task);
  const Selection selection = parse_selection("measure", text);
  std::vector<std::string> names;
  for (const Measure& measure : info.measures) {
    if (measure.name == selection.name) {
      return measure.make(OptionValues("task", parse_selection("task", task), info.options),
                          OptionValues("measure", selection, measure.options));
    }
    names.push_back(measure.name);
  }
  DG_CHECK(!names.empty(), "measure: task {} has none beside its metrics; leave --measure out",
           info.name);
  fail_unknown("measure", selection.name, names);
}

void check_data(const TaskInfo& task, const data::DatasetInfo& info) {
  for (const data::TargetInfo& needed : task.targets) {
    const auto found =
        std::find_if(info.targets.begin(), info.targets.end(),
                     [&](const data::TargetInfo& target) { return target.name == needed.name; });
    if (found != info.targets.end() && found->dtype == needed.dtype) continue;
    std::vector<std::string> names;
    for (const data::TargetInfo& target : info.targets) {
      names.push_back(fmt::format("{} ({})", target.name, target.dtype));
    }
    fail(ErrorKind::data, "data: task {} needs the target {} ({}), {} has {}", task.name,
         needed.name, needed.dtype, info.name,
         names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
}

std::string task_for(const models::ModelInfo& model, const std::string& usual) {
  if (fits(find_task(usual), model)) return usual;
  for (const TaskInfo& task : tasks()) {
    if (fits(task, model)) return task.name;
  }
  return usual;
}

void check_model(const TaskInfo& task, const models::ModelInfo& model) {
  if (fits(task, model)) return;
  std::vector<std::string> fitting;
  for (const models::ModelInfo& other : models::list()) {
    if (fits(task, other)) fitting.push_back(other.name);
  }
  std::vector<std::string> tasks_that_fit;
  for (const TaskInfo& other : tasks()) {
    if (fits(other, model)) tasks_that_fit.push_back(other.name);
  }
  const auto listed = [](const std::vector<std::string>& names) {
    return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
  };
  fail(ErrorKind::usage,
       "model: {} takes {} and gives {}, task {} needs {} and {}; tasks that fit: {}; models that "
       "fit: {}",
       model.name, calls_text(model), models::name(model.output), task.name,
       models::name(task.call), models::name(task.output), listed(tasks_that_fit), listed(fitting));
}

}  // namespace diagrad::train
