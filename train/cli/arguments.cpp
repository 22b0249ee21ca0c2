#include "diagrad/train/cli/arguments.h"

#include <CLI/CLI.hpp>

#include "diagrad/core/option.h"

namespace diagrad::cli {

void Arguments::option(const ArgumentInfo& info, Receiver receive) {
  CLI::Option* option = app_.add_option(
      "--" + info.name,
      [receive = std::move(receive)](const CLI::results_t& values) {
        receive(values);
        return true;
      },
      info.help);
  option->group(heading_)->type_name(info.type)->default_str(info.default_value);
  option->type_size(1)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  option->allow_extra_args(false);
}

void Arguments::flag(const ArgumentInfo& info, Receiver receive) {
  CLI::Option* option = app_.add_option(
      "--" + info.name,
      [receive = std::move(receive)](const CLI::results_t& values) {
        receive(values);
        return true;
      },
      info.help);
  option->group(heading_)->default_str(info.default_value);
  option->type_size(0)->expected(0)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::option(const ArgumentInfo& info, std::string& target) {
  option(info, [&target](const std::vector<std::string>& values) { target = values.back(); });
}

void Arguments::option(const ArgumentInfo& info, int64_t& target) {
  option(info, [&target, where = "--" + info.name](const std::vector<std::string>& values) {
    target = parse_int(where, values.back());
  });
}

void Arguments::flag(const ArgumentInfo& info, bool& target) {
  flag(info, [&target, where = "--" + info.name](const std::vector<std::string>& values) {
    target = parse_bool(where, values.back());
  });
}

void Arguments::positional(const ArgumentInfo& info, std::string& target) {
  app_.add_option(info.name, target, info.help)->group("Arguments")->type_name(info.type);
}

}  // namespace diagrad::cli
