#include <algorithm>
#include <utility>

#include "diagrad/core/registry.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/listing.h"

namespace diagrad::cli {
namespace {

Registry<CommandInfo>& registry() {
  static Registry<CommandInfo> all("command");
  return all;
}

}  // namespace

bool register_command(CommandInfo info) {
  return registry().add(std::move(info));
}

std::vector<CommandInfo> commands() {
  std::vector<CommandInfo> all = registry().all();
  for (CommandInfo& list : task_registry_commands()) all.push_back(std::move(list));
  std::stable_sort(all.begin(), all.end(), [](const CommandInfo& a, const CommandInfo& b) {
    return a.position < b.position;
  });
  return all;
}

}  // namespace diagrad::cli
