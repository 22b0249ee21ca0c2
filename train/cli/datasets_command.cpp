#include <fmt/format.h>

#include "diagrad/data/registry.h"
#include "diagrad/train/cli/listing.h"

namespace diagrad::cli {
namespace {

class DatasetsCommand : public ListCommand {
 public:
  DatasetsCommand() : ListCommand("datasets") {}

 protected:
  std::vector<Listed> list() const override {
    std::vector<Listed> entries;
    for (const data::DatasetFormat& format : data::dataset_formats()) {
      Listed entry{.name = format.name, .help = format.help, .options = format.options};
      std::string targets;
      for (const data::TargetInfo& target : format.targets) {
        targets += (targets.empty() ? "" : ", ") + target.name;
      }
      entry.facts.emplace_back("targets", targets);
      if (!format.folder.empty()) {
        entry.facts.emplace_back("folder", format.folder);
        entry.facts.emplace_back("found", data::find_data(format.folder).value_or(""));
        entry.facts.emplace_back("obtain", format.obtain);
      }
      entries.push_back(std::move(entry));
    }
    return entries;
  }
};

[[maybe_unused]] const bool registered =
    register_command({.name = "datasets",
                      .help = "list what --data understands, and where it is found",
                      .position = 80,
                      .make = [] { return std::make_unique<DatasetsCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
