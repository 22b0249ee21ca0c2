#include "tests/models/matrix.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/attention_settings.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;
using Visit = std::function<void(const Cell&)>;

std::vector<Family>& all() {
  static std::vector<Family> families;
  return families;
}

bool contains(const std::vector<Placement>& placements, Placement placement) {
  return std::find(placements.begin(), placements.end(), placement) != placements.end();
}

/// Where a variant can sit in a family.
std::vector<Placement> placements_of(const Family& family, const nn::AttentionInfo& info) {
  if (info.identity) return {family.placements.front()};
  std::vector<Placement> both = info.placements;
  std::erase_if(both, [&](Placement placement) { return !contains(family.placements, placement); });
  return both;
}

int64_t visit_cell(const Cell& cell, const Visit& visit) {
  CAPTURE(cell.text());
  visit(cell);
  return 1;
}

int64_t visit_placements(const Family& family, const nn::AttentionInfo& info, const Visit& visit) {
  int64_t count = 0;
  for (const Placement placement : placements_of(family, info)) {
    const std::string attention =
        info.placements.size() > 1 ? info.name + ":at=" + nn::name(placement) : info.name;
    for (const Sharing sharing : {Sharing::block, Sharing::stage, Sharing::network}) {
      count += visit_cell({family, info, sharing, placement, attention}, visit);
    }
  }
  return count;
}

int64_t visit_pools(const Family& family, const nn::AttentionInfo& info, const Visit& visit) {
  const bool has_choice = std::any_of(info.options.begin(), info.options.end(),
                                      [](const Option& option) { return option.name == "pool"; });
  if (!family.tokens || !has_choice) return 0;
  int64_t count = 0;
  for (const char* pool : {"patches", "class"}) {
    const Cell cell{family, info, Sharing::network, family.placements.front(),
                    info.name + ":pool=" + pool};
    count += visit_cell(cell, visit);
  }
  return count;
}

/// Every other value of the options, in the first family that the variant fits.
int64_t visit_options(const nn::AttentionInfo& info, const Visit& visit) {
  const auto fits = [&](const Family& family) {
    return contains(family.placements, info.placements.front());
  };
  const auto family = std::find_if(families().begin(), families().end(), fits);
  REQUIRE(family != families().end());
  int64_t count = 0;
  for (const std::string& setting : testing::single_settings(info)) {
    count += visit_cell({*family, info, info.sharing, info.placements.front(), setting}, visit);
  }
  return count;
}

Tensor uniform_images(int64_t batch, Shape image, DType dtype) {
  image.insert(0, batch);
  RandomStream random(7, stream_id("images"));
  return uniform(image, -1.0, 1.0, random, dtype);
}

}  // namespace

bool register_family(Family family) {
  const auto place = std::find_if(all().begin(), all().end(),
                                  [&](const Family& other) { return other.name > family.name; });
  all().insert(place, std::move(family));
  return true;
}

const std::vector<Family>& families() {
  return all();
}

std::string Cell::text() const {
  return fmt::format("{}, {}, sharing {}", family.name, attention, nn::name(sharing));
}

std::shared_ptr<nn::Module> Cell::make(uint64_t seed) const {
  return family.make(attention, nn::name(sharing), seed);
}

std::vector<nn::UnitSpec> Cell::units() const {
  std::vector<nn::UnitSpec> units;
  for (const ExpectedCall& call : calls()) {
    if (call.unit == units.size()) units.push_back({.channels = call.channels, .calls = 0});
    nn::UnitSpec& unit = units.at(call.unit);
    ++unit.calls;
    unit.sizes.push_back(call.size);
    unit.strides.push_back(call.stride);
  }
  return units;
}

bool Cell::state_is_idle() const {
  const std::vector<nn::UnitSpec> all_units = units();
  return info.carries_state && std::any_of(all_units.begin(), all_units.end(),
                                           [](const auto& unit) { return unit.calls == 1; });
}

Tensor Cell::images(int64_t batch, DType dtype) const {
  return uniform_images(batch, family.image, dtype);
}

Tensor Cell::other_images(int64_t batch) const {
  return uniform_images(batch, family.other_image, DType::f32);
}

void for_each_cell(const Visit& visit) {
  int64_t count = 0;
  for (const nn::AttentionInfo& info : nn::attention_variants()) {
    for (const Family& family : families()) {
      count += visit_placements(family, info, visit);
      count += visit_pools(family, info, visit);
    }
    count += visit_options(info, visit);
  }
  MESSAGE(count << " combinations");
  CHECK(count >= static_cast<int64_t>(families().size()) * 3 * 4);
}

}  // namespace diagrad::models::matrix
