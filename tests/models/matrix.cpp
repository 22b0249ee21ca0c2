#include "tests/models/matrix.h"

#include <doctest/doctest.h>

#include "diagrad/models/registry.h"
#include "tests/support/attention_settings.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;
using Visit = std::function<void(const Cell&)>;

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"resnet, basic", "resnet", {{"depth", "14"}, {"width", "4"}}, {4, 8, 16}, false},
      {"resnet, bottleneck",
       "resnet",
       {{"depth", "20"}, {"block", "bottleneck"}, {"width", "2"}},
       {8, 16, 32},
       true},
  };
  return all;
}

/// The default placement with every sharing, the others shared by the stage.
int64_t visit_placements(const Family& family, const nn::AttentionInfo& info, const Visit& visit) {
  int64_t count = 0;
  for (const Placement placement : info.placements) {
    const std::string attention =
        info.placements.size() > 1 ? info.name + ":at=" + nn::name(placement) : info.name;
    for (const Sharing sharing : {Sharing::block, Sharing::stage, Sharing::network}) {
      if (placement != info.placements.front() && sharing != Sharing::stage) continue;
      const Cell cell{family, info, sharing, placement, attention};
      CAPTURE(cell.text());
      visit(cell);
      ++count;
    }
  }
  return count;
}

/// Every other value of the options, in one net.
int64_t visit_options(const nn::AttentionInfo& info, const Visit& visit) {
  int64_t count = 0;
  for (const std::string& setting : testing::single_settings(info)) {
    const Cell cell{families().front(), info, info.sharing, info.placements.front(), setting};
    CAPTURE(cell.text());
    visit(cell);
    ++count;
  }
  return count;
}

}  // namespace

std::string Cell::text() const {
  return fmt::format("{}, {}, sharing {}", family.name, attention, nn::name(sharing));
}

std::shared_ptr<nn::Module> Cell::make(uint64_t seed) const {
  return create(family.model, {.classes = kClasses,
                               .input = {8, 8, 3},
                               .attention = attention,
                               .sharing = nn::name(sharing),
                               .options = family.options,
                               .seed = seed});
}

bool Cell::state_is_idle() const {
  return info.carries_state && sharing == Sharing::block;
}

void for_each_cell(const Visit& visit) {
  int64_t count = 0;
  for (const nn::AttentionInfo& info : nn::attention_variants()) {
    for (const Family& family : families()) count += visit_placements(family, info, visit);
    count += visit_options(info, visit);
  }
  MESSAGE(count << " combinations");
  CHECK(count >= static_cast<int64_t>(families().size()) * 3 * 4);
}

Tensor images(const Shape& shape, DType dtype) {
  RandomStream random(7, stream_id("images"));
  return uniform(shape, -1.0, 1.0, random, dtype);
}

}  // namespace diagrad::models::matrix
