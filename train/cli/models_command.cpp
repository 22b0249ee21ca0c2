#include <fmt/format.h>

#include "diagrad/models/registry.h"
#include "diagrad/train/cli/listing.h"

namespace diagrad::cli {
namespace {

class ModelsCommand : public ListCommand {
 public:
  ModelsCommand() : ListCommand("models") {}

 protected:
  std::vector<Listed> list() const override {
    std::vector<Listed> entries;
    for (const models::ModelInfo& info : models::list()) {
      Listed entry{.name = info.name, .help = info.help, .options = info.options};
      entry.facts.emplace_back("images", info.input.empty() ? "of any size" : info.input.str());
      if (!info.head.empty()) entry.facts.emplace_back("head", info.head);
      std::string init;
      for (const Option& option : info.init_options) {
        init += fmt::format("{}FILE:{}=, {}", init.empty() ? "" : "; ", option.name, option.help);
      }
      if (!init.empty()) entry.facts.emplace_back("init", init);
      entries.push_back(std::move(entry));
    }
    return entries;
  }
};

[[maybe_unused]] const bool registered =
    register_command({.name = "models", .help = "list the networks", .position = 60, .make = [] {
                        return std::make_unique<ModelsCommand>();
                      }});

}  // namespace
}  // namespace diagrad::cli
