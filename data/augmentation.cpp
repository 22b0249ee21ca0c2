#include "diagrad/data/augmentation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"
#include "diagrad/core/spelling.h"

namespace diagrad::data {
namespace {

constexpr size_t kMaxSteps = 100;
/// More draws than a step makes for one image: a second one of its name begins there.
constexpr uint64_t kDrawsOfStep = uint64_t{1} << 32;

std::vector<AugmentationInfo>& steps() {
  static std::vector<AugmentationInfo> all;
  return all;
}

const AugmentationInfo* find_step(std::string_view name) {
  const auto found = std::find_if(steps().begin(), steps().end(),
                                  [&](const AugmentationInfo& info) { return info.name == name; });
  return found == steps().end() ? nullptr : &*found;
}

[[noreturn]] void fail_unknown(const std::string& item, const std::string& name) {
  std::vector<std::string> names;
  for (const AugmentationInfo& info : steps()) names.push_back(info.name);
  fail(ErrorKind::usage,
       "augment: '{}' is unknown here{}, use a list of {}, or none alone; options of a step are "
       "joined by +",
       item, did_you_mean(name, names), fmt::join(names, ", "));
}

/// `pad-crop=4` for `pad-crop:border=4`.
void refuse_value_of_step(const std::string& item) {
  const size_t equals = item.find('=');
  if (equals == std::string::npos || item.find(':') < equals) return;
  const AugmentationInfo* info = find_step(item.substr(0, equals));
  if (info == nullptr) fail_unknown(item, item.substr(0, equals));
  DG_CHECK(!info->options.empty(), "augment: '{}' has a value, but {} has no options", item,
           info->name);
  fail(ErrorKind::usage, "augment: '{}' is not a step with options, write it as {}:{}={}", item,
       info->name, info->options.front().name, item.substr(equals + 1));
}

}  // namespace

bool register_augmentation(AugmentationInfo info) {
  check_registration("augmentation", info.name, info.make != nullptr);
  DG_CHECK(find_step(info.name) == nullptr, "augmentation '{}' is registered twice", info.name);
  const auto place =
      std::find_if(steps().begin(), steps().end(),
                   [&](const AugmentationInfo& other) { return other.name > info.name; });
  steps().insert(place, std::move(info));
  return true;
}

const std::vector<AugmentationInfo>& augmentations() {
  return steps();
}

std::vector<AugmentationStep> parse_augmentations(const std::vector<std::string>& items) {
  if (items.size() == 1 && items.front() == "none") return {};
  DG_CHECK(items.size() <= kMaxSteps, "augment: {} steps are more than the {} allowed",
           items.size(), kMaxSteps);
  std::vector<AugmentationStep> result;
  std::map<std::string, uint64_t> seen;
  for (const std::string& item : items) {
    refuse_value_of_step(item);
    const Selection selection = parse_selection("augment", item, '+');
    const AugmentationInfo* info = find_step(selection.name);
    if (info == nullptr) fail_unknown(item, selection.name);
    const OptionValues values("augment", selection, info->options);
    const uint64_t first = info->first_draw.value_or(stream_id(info->name));
    result.push_back({info->make(values), first + seen[info->name]++ * kDrawsOfStep});
  }
  return result;
}

}  // namespace diagrad::data
