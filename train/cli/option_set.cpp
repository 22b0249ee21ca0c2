#include "diagrad/train/cli/option_set.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/option.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/cli/list_request.h"
#include "diagrad/train/cli/recipes.h"
#include "diagrad/train/cli/toml.h"

namespace diagrad::cli {
namespace {

/// Declares a flag for each option.
class FlagBinder : public train::OptionVisitor {
 public:
  FlagBinder(Arguments& arguments, const std::vector<std::string>& names,
             std::vector<Setting>& given)
      : arguments_(arguments), names_(names), given_(given) {}

  void visit(const train::OptionInfo& info, std::string& value) override {
    add(info, "TEXT", value);
  }
  void visit(const train::OptionInfo& info, int64_t& value) override {
    add(info, "N", fmt::format("{}", value));
  }
  void visit(const train::OptionInfo& info, double& value) override {
    add(info, "X", fmt::format("{}", value));
  }
  void visit(const train::OptionInfo& info, bool& value) override {
    add(info, "", value ? "true" : "false");
  }
  void visit(const train::OptionInfo& info, std::vector<std::string>& value) override {
    add(info, "A,B,...", fmt::format("{}", fmt::join(value, ",")));
  }
  void visit(const train::OptionInfo& info, std::vector<int64_t>& value) override {
    add(info, "N,N,...", fmt::format("{}", fmt::join(value, ",")));
  }

 private:
  void add(const train::OptionInfo& info, const std::string& type, const std::string& fallback) {
    if (!names_.empty() && std::find(names_.begin(), names_.end(), info.name) == names_.end()) {
      return;
    }
    const auto receive = [given = &given_,
                          name = std::string(info.name)](const std::vector<std::string>& values) {
      given->push_back({name, values, false, "--" + name});
    };
    arguments_.heading(info.group);
    ArgumentInfo argument{info.name, type, fallback, info.help};
    if (type.empty() && fallback == "true") {
      argument.help += fmt::format("; off with --{}=false", info.name);
    }
    if (type.empty()) {
      arguments_.flag(argument, receive);
    } else {
      arguments_.option(argument, receive);
    }
  }

  Arguments& arguments_;
  const std::vector<std::string>& names_;
  std::vector<Setting>& given_;
};

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
  train::Options defaults;
  FlagBinder binder(arguments, names, flags_);
  train::visit_options(defaults, binder);
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
  for (const Setting& setting : settings()) assign(options, setting);
  if (options.data == "help") throw ListRequest{"datasets"};
  options.validate();
  check_name("model", options.model, names_of(models::list()), "models");
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
