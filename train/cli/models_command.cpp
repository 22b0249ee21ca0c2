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
