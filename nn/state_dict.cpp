#include "diagrad/nn/state_dict.h"

#include <fmt/format.h>

#include <algorithm>

namespace diagrad::nn {
namespace {

/// "a, b, c and 7 more"
std::string some(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

bool fits(const Tensor& live, const Tensor& given) {
  return live.shape() == given.shape() && live.dtype() == given.dtype();
}

}  // namespace

std::string LoadReport::text() const {
  std::vector<std::string> parts;
  if (!different.empty()) parts.push_back(some(different));
  if (!missing.empty()) parts.push_back("it lacks " + some(missing));
  if (!unexpected.empty()) parts.push_back("it has " + some(unexpected) + " in excess");
  return fmt::format("{}", fmt::join(parts, "; "));
}

LoadReport compare(const StateDict& live, const StateDict& given) {
  LoadReport report;
  for (const auto& named : live) {
    const auto found = given.find(named.first);
    if (found == given.end()) {
      report.missing.push_back(named.first);
    } else if (!fits(named.second, found->second)) {
      report.different.push_back(fmt::format("{} is {} {} there, {} {} here", named.first,
                                             found->second.dtype(), found->second.shape(),
                                             named.second.dtype(), named.second.shape()));
    }
  }
  for (const auto& named : given) {
    if (live.count(named.first) == 0) report.unexpected.push_back(named.first);
  }
  return report;
}

LoadReport load(const StateDict& live, const StateDict& given) {
  for (const auto& named : live) {
    const auto found = given.find(named.first);
    if (found != given.end() && fits(named.second, found->second)) {
      named.second.copy_(found->second);
    }
  }
  return compare(live, given);
}

}  // namespace diagrad::nn
