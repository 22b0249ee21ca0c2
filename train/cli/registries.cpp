#include <fmt/ranges.h>

#include <functional>
#include <utility>

#include "diagrad/data/augmentation.h"
#include "diagrad/train/cli/listing.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/tasks/task.h"

// The commands that list a registry of name, help and options, with few facts beside.

namespace diagrad::cli {
namespace {

class RegistryCommand : public ListCommand {
 public:
  RegistryCommand(const std::string& plural, std::function<std::vector<Listed>()> entries)
      : ListCommand(plural), entries_(std::move(entries)) {}

 protected:
  std::vector<Listed> list() const override { return entries_(); }

 private:
  std::function<std::vector<Listed>()> entries_;
};

CommandInfo list_command(const std::string& plural, const std::string& help, int position,
                         const std::function<std::vector<Listed>()>& entries) {
  return {.name = plural, .help = help, .position = position, .make = [plural, entries] {
            return std::make_unique<RegistryCommand>(plural, entries);
          }};
}

bool register_list(const std::string& plural, const std::string& help, int position,
                   const std::function<std::vector<Listed>()>& entries) {
  return register_command(list_command(plural, help, position, entries));
}

std::vector<Listed> listed_tasks() {
  std::vector<Listed> all;
  for (const train::TaskInfo& info : train::tasks()) {
    std::string targets;
    for (const data::TargetInfo& target : info.targets) {
      targets += (targets.empty() ? "" : ", ") + target.name;
    }
    std::string measures;
    for (const train::Measure& measure : info.measures) {
      measures += (measures.empty() ? "" : ", ") + measure.name;
      for (const Option& option : measure.options) {
        measures += fmt::format("{}{}={}", &option == measure.options.data() ? ":" : ",",
                                option.name, option.default_value);
      }
    }
    all.push_back({.name = info.name,
                   .help = info.help,
                   .options = info.options,
                   .facts = {{"targets", targets},
                             {"call", std::string(models::name(info.call))},
                             {"output", std::string(models::name(info.output))},
                             {"normalization", info.normalization},
                             {"augment", fmt::format("{}", fmt::join(info.augment, ","))},
                             {"measures", measures}}});
  }
  return all;
}

std::vector<Listed> listed_optimizers() {
  std::vector<Listed> all;
  for (const train::OptimizerInfo& info : train::optimizers()) {
    all.push_back(
        {.name = info.name,
         .help = info.help,
         .options = info.options,
         .facts = {{"citation", info.citation},
                   {"lr", fmt::format("{}", info.lr)},
                   {"momentum", info.momentum ? fmt::format("{}", *info.momentum) : ""}}});
  }
  return all;
}

std::vector<Listed> listed_schedules() {
  std::vector<Listed> all;
  for (const train::ScheduleInfo& info : train::schedules()) {
    all.push_back({.name = info.name,
                   .help = info.help,
                   .options = info.options,
                   .facts = {{"citation", info.citation}}});
  }
  return all;
}

std::vector<Listed> listed_augmentations() {
  std::vector<Listed> all;
  for (const data::AugmentationInfo& info : data::augmentations()) {
    all.push_back({.name = info.name, .help = info.help, .options = info.options});
  }
  return all;
}

[[maybe_unused]] const bool registered =
    register_list("tasks", "list what can be trained", 55, listed_tasks) &&
    register_list("augmentations", "list the steps of --augment", 90, listed_augmentations) &&
    register_list("optimizers", "list the optimizers", 100, listed_optimizers) &&
    register_list("schedules", "list the learning rate schedules", 110, listed_schedules);

std::vector<Listed> listed_parts(const train::TaskRegistry& registry) {
  std::vector<Listed> all;
  for (const train::TaskRegistry::Entry& entry : registry.entries()) {
    all.push_back({.name = entry.name,
                   .help = entry.help,
                   .options = entry.options,
                   .facts = {{"citation", entry.citation}}});
  }
  return all;
}

}  // namespace

std::vector<CommandInfo> task_registry_commands() {
  constexpr int kBehindTasks = 56;
  std::vector<CommandInfo> all;
  for (const train::TaskInfo& task : train::tasks()) {
    for (const train::TaskRegistry& registry : task.registries) {
      all.push_back(list_command(registry.plural, registry.help, kBehindTasks,
                                 [registry] { return listed_parts(registry); }));
    }
  }
  return all;
}

}  // namespace diagrad::cli
