#include "diagrad/train/cli/listing.h"
#include "diagrad/train/cli/recipes.h"

namespace diagrad::cli {
namespace {

class RecipesCommand : public ListCommand {
 public:
  RecipesCommand() : ListCommand("recipes") {}

 protected:
  std::vector<Listed> list() const override {
    std::vector<Listed> entries;
    for (const Recipe& recipe : recipes()) {
      Listed entry{.name = std::string(recipe.name), .help = recipe.help()};
      entry.facts.emplace_back("reaches", recipe.reaches());
      entry.facts.emplace_back("text", recipe.text);
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  /// The file itself: `diagrad recipes quick > run.toml` is a beginning of one's own.
  void show(Console& console, const Listed& entry) const override {
    std::string_view text = find_recipe(entry.name).text;
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    console.line(text);
  }
};

[[maybe_unused]] const bool registered =
    register_command({.name = "recipes",
                      .help = "list tried sets of options, or print one",
                      .position = 140,
                      .make = [] { return std::make_unique<RecipesCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
