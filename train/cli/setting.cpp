#include "diagrad/train/cli/setting.h"

#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::cli {
namespace {

/// The items of a list that is written as "a,b" or as several flags.
std::vector<std::string> items_of(const Setting& setting) {
  if (setting.is_list) return setting.values;
  std::vector<std::string> items;
  for (const std::string& value : setting.values) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      items.emplace_back(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return items;
}

}  // namespace

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  for (const train::OptionInfo& info : train::option_table()) names.push_back(info.option.name);
  return names;
}

void assign(train::Options& options, const Setting& setting) {
  const train::OptionInfo* info = train::find_option(setting.name);
  if (info == nullptr) train::fail_unknown_option(setting.where, setting.name);
  if (info->option.is_list) {
    train::assign(options, *info, setting.where, items_of(setting));
    return;
  }
  DG_CHECK(!setting.is_list && !setting.values.empty(), "{}: takes one value, got a list of {}",
           setting.where, setting.values.size());
  train::assign(options, *info, setting.where, {setting.values.back()});
}

}  // namespace diagrad::cli
