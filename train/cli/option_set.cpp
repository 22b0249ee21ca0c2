#include "diagrad/train/cli/option_set.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/option.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"
#include "diagrad/core/toml.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/cli/list_request.h"
#include "diagrad/train/cli/recipes.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::cli {
namespace {

/// What --help says that a value is; empty for a switch.
std::string type_of(const Option& option) {
  if (option.is_list) return "A,B,...";
  switch (option.kind) {
    case Option::Kind::integer:
      return "N";
    case Option::Kind::floating:
      return "X";
    case Option::Kind::boolean:
      return "";
    case Option::Kind::choice:
    case Option::Kind::text:
      break;
  }
  return "TEXT";
}

void declare_flag(Arguments& arguments, const train::OptionInfo& info,
                  std::vector<Setting>& given) {
  const Option& option = info.option;
  const auto receive = [&given, name = option.name](const std::vector<std::string>& values) {
    given.push_back({name, values, false, "--" + name});
  };
  arguments.heading(info.group);
  ArgumentInfo argument{option.name, type_of(option), option.default_value, option.help};
  if (option.kind == Option::Kind::boolean) {
    if (option.default_value == "true") {
      argument.help += fmt::format("; off with --{}=false", option.name);
    }
    arguments.flag(argument, receive);
  } else {
    arguments.option(argument, receive);
  }
}

template <typename Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

/// Throws for a name that the registry does not have, with the nearest one.
void check_name(const char* option, const std::string& name, const std::vector<std::string>& names,
                const char* command) {
  if (name == "help") throw ListRequest{command};
  DG_CHECK(std::find(names.begin(), names.end(), name) != names.end(),
           "{}: '{}' is unknown{} (`diagrad {}` lists all {})", option, name,
           did_you_mean(name, names), command, names.size());
}

}  // namespace

void OptionSet::declare(Arguments& arguments, const std::vector<std::string>& names) {
  arguments.heading("Where options come from (a later one wins)");
  arguments.option({"recipe", "NAME", "", "a tried set of options, see 'diagrad recipes'"},
                   recipe_);
  arguments.option({"config", "FILE", "", "options as lines key = value, e.g. that of a run"},
                   config_);
  for (const train::OptionInfo& info : train::option_table()) {
    const bool wanted =
        names.empty() || std::find(names.begin(), names.end(), info.option.name) != names.end();
    if (wanted) declare_flag(arguments, info, flags_);
  }
}

/// All of them, those that win last.
const std::vector<Setting>& OptionSet::settings() const {
  if (!all_.empty()) return all_;
  std::vector<Setting> all;
  const auto add = [&](const std::vector<Setting>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  if (!recipe_.empty()) add(find_recipe(recipe_).settings());
  if (!config_.empty()) add(read_toml(config_));
  add(flags_);
  all_ = std::move(all);
  return all_;
}

train::Options OptionSet::checked() const {
  train::Options options;
  bool has_task = false;
  for (const Setting& setting : settings()) {
    assign(options, setting);
    if (setting.name == "task") has_task = true;
  }
  const models::ModelInfo* model = models::find_if_registered(options.model);
  if (!has_task && model != nullptr) options.task = train::task_for(*model, options.task);
  if (options.data == "help") throw ListRequest{"datasets"};
  if (options.task == "help") throw ListRequest{"tasks"};
  if (options.optimizer == "help") throw ListRequest{"optimizers"};
  if (options.schedule == "help") throw ListRequest{"schedules"};
  if (options.augment == std::vector<std::string>{"help"}) throw ListRequest{"augmentations"};
  options.validate();
  if (!options.momentum) options.momentum = train::find_optimizer(options.optimizer).momentum;
  check_name("model", options.model, names_of(models::list()), "models");
  options.fill_no_decay();
  check_name("attention", parse_selection("attention", options.attention).name,
             names_of(nn::attention_variants()), "attention");
  // Made for its checks alone: unknown options and values out of range.
  [[maybe_unused]] const nn::AttentionFactory factory(options.attention, options.sharing);
  return options;
}

train::Options OptionSet::read() const {
  if (recipe_ == "help") throw ListRequest{"recipes"};
  try {
    return checked();
  } catch (const Error& error) {
    throw placed(error);
  }
}

Error OptionSet::placed(const Error& error) const {
  const std::string_view message = error.what();
  const std::string_view name = message.substr(0, message.find(':'));
  std::string where;
  for (const Setting& setting : settings()) {
    if (setting.name == name) where = setting.where;
  }
  if (where.empty()) return error;
  return {error.kind(), where + std::string(message.substr(name.size()))};
}

}  // namespace diagrad::cli
