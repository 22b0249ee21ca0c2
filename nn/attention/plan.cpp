#include "diagrad/nn/attention/plan.h"

#include <algorithm>
#include <set>

#include "diagrad/core/error.h"

namespace diagrad::nn {
namespace {

/// The sites that one unit serves.
struct Group {
  std::string key;            ///< sites with the same key share the unit
  std::vector<size_t> sites;  ///< indices, in order of execution
  UnitSpec unit = {};
};

std::vector<Placement> offered_placements(const AttentionSites& sites) {
  std::vector<Placement> offered;
  // From the last site on: of the branches of a block, the last is its default.
  for (auto site = sites.sites.rbegin(); site != sites.sites.rend(); ++site) {
    for (const SiteInput& input : site->inputs) {
      if (std::find(offered.begin(), offered.end(), input.placement) == offered.end()) {
        offered.push_back(input.placement);
      }
    }
  }
  return offered;
}

void check_pool(const AttentionFactory& factory, const SiteInput& input, const std::string& model) {
  if (factory.pool() == Pool::all) return;
  DG_CHECK(input.tokens, "attention: pool of '{}' chooses tokens, but {} has pixels; leave it out",
           factory.info().name, model);
  DG_CHECK(factory.pool() != Pool::class_token || input.prefix_tokens > 0,
           "attention: pool=class of '{}' needs a class token, which {} does not have; use all or "
           "patches",
           factory.info().name, model);
}

std::string key_of(const AttentionSite& site, const SiteInput& input, Sharing sharing) {
  switch (sharing) {
    case Sharing::block:
      return site.path;
    case Sharing::stage:
      return site.stage;
    case Sharing::network:
      break;
  }
  return std::to_string(input.channels);
}

void append_call(Group& group, size_t index, const AttentionSites& sites, const SiteInput& input) {
  UnitSpec& unit = group.unit;
  if (group.sites.empty()) {
    unit.channels = input.channels;
    unit.tokens = input.tokens;
    unit.prefix_tokens = input.prefix_tokens;
  } else {
    const std::string& first = sites.sites[group.sites.front()].path;
    DG_CHECK(unit.channels == input.channels && unit.tokens == input.tokens &&
                 unit.prefix_tokens == input.prefix_tokens,
             "attention: {} and {} of {} share a unit but have {} and {} channels", first,
             sites.sites[index].path, sites.model, unit.channels, input.channels);
  }
  group.sites.push_back(index);
  unit.calls = static_cast<int64_t>(group.sites.size());
  unit.sizes.push_back(input.size);
  unit.strides.push_back(input.stride);
}

std::string child_of(const std::string& path) {
  return path.empty() ? "attention" : path + ".attention";
}

/// Whether each group lies in one stage, and no two in the same.
bool stages_are_apart(const std::vector<Group>& groups, const AttentionSites& sites) {
  std::set<std::string> stages;
  for (const Group& group : groups) {
    const std::string& stage = sites.sites[group.sites.front()].stage;
    const bool one_stage = std::all_of(group.sites.begin(), group.sites.end(), [&](size_t site) {
      return sites.sites[site].stage == stage;
    });
    if (!one_stage || !stages.insert(stage).second) return false;
  }
  return true;
}

std::string unit_name(const Group& group, const AttentionSites& sites, Sharing sharing,
                      bool stages_apart, bool single) {
  const AttentionSite& first = sites.sites[group.sites.front()];
  if (sharing == Sharing::block) return child_of(first.path);
  if (sharing == Sharing::stage || stages_apart) return child_of(first.stage);
  return single ? child_of("") : child_of("") + "." + group.key;
}

}  // namespace

AttentionPlan::AttentionPlan(const AttentionFactory& factory, const AttentionSites& sites,
                             RandomStream& random)
    : placement_(factory.placement(offered_placements(sites), sites.model)),
      sharing_(factory.sharing(sites.stateful_sharing)),
      pool_(factory.pool()) {
  std::vector<Group> groups;
  for (size_t i = 0; i < sites.sites.size(); ++i) {
    const AttentionSite& site = sites.sites[i];
    calls_.emplace_back().site = site.path;
    const auto input =
        std::find_if(site.inputs.begin(), site.inputs.end(),
                     [&](const SiteInput& one) { return one.placement == placement_; });
    if (input == site.inputs.end()) continue;
    check_pool(factory, *input, sites.model);
    const std::string key = key_of(site, *input, sharing_);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& other) { return other.key == key; });
    DG_ASSERT(group == groups.end() || sharing_ != Sharing::block,
              "attention: {} of {} is listed twice", key, sites.model);
    if (group == groups.end()) group = groups.insert(groups.end(), Group{key, {}, {}});
    calls_[i].unit = static_cast<size_t>(group - groups.begin());
    calls_[i].number = static_cast<int>(group->sites.size());
    calls_[i].input = *input;
    append_call(*group, i, sites, *input);
  }
  const bool stages_apart = stages_are_apart(groups, sites);
  for (Group& group : groups) {
    group.unit.sharing = sharing_;
    group.unit.placement = placement_;
    units_.push_back(factory(group.unit, random));
    units_.back()->set_unit_name(
        unit_name(group, sites, sharing_, stages_apart, groups.size() == 1));
    specs_.push_back(group.unit);
  }
}

void AttentionPlan::attach(Module& model) const {
  for (const auto& unit : units_) {
    const std::string& name = unit->unit_name();
    const size_t dot = name.rfind('.');
    const std::string owner = dot == std::string::npos ? "" : name.substr(0, dot);
    const std::string child = dot == std::string::npos ? name : name.substr(dot + 1);
    const bool by_width = owner == "attention";
    if (by_width && unit == units_.front()) model.add_module(owner, std::make_shared<Module>());
    model.get_submodule(owner).add_module(child, unit);
  }
}

}  // namespace diagrad::nn
