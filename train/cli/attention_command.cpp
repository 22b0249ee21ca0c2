#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/cli/listing.h"

namespace diagrad::cli {
namespace {

class AttentionCommand : public ListCommand {
 public:
  AttentionCommand() : ListCommand("attention") {}

 protected:
  std::vector<Listed> list() const override {
    std::vector<Listed> entries;
    for (const nn::AttentionInfo& info : nn::attention_variants()) {
      Listed entry{.name = info.name, .help = info.help, .options = info.options};
      entry.facts.emplace_back("citation", info.citation);
      entry.facts.emplace_back("sharing", nn::name(info.sharing));
      entry.facts.emplace_back("form", nn::name(info.form));
      entry.facts.emplace_back("state", info.carries_state ? "carried" : "none");
      entries.push_back(std::move(entry));
    }
    return entries;
  }
};

[[maybe_unused]] const bool registered = register_command(
    {.name = "attention", .help = "list the attention modules", .position = 70, .make = [] {
       return std::make_unique<AttentionCommand>();
     }});

}  // namespace
}  // namespace diagrad::cli
