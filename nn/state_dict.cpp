#include "diagrad/nn/state_dict.h"

#include <fmt/format.h>

#include <algorithm>

namespace diagrad::nn {
namespace {

bool fits(const Tensor& live, const Tensor& given) {
  return live.shape() == given.shape() && live.dtype() == given.dtype();
}

}  // namespace

std::string first_few(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

std::string form_of(const Tensor& tensor) {
  return fmt::format("{} {}", tensor.dtype(), tensor.shape());
}

std::string LoadReport::text() const {
  std::vector<std::string> parts;
  if (!different.empty()) parts.push_back(first_few(different));
  if (!missing.empty()) parts.push_back("it lacks " + first_few(missing));
  if (!unexpected.empty()) parts.push_back("it has " + first_few(unexpected) + " in excess");
  return fmt::format("{}", fmt::join(parts, "; "));
}

LoadReport compare(const StateDict& live, const StateDict& given) {
  LoadReport report;
  for (const auto& named : live) {
    const auto found = given.find(named.first);
    if (found == given.end()) {
      report.missing.push_back(named.first);
    } else if (!fits(named.second, found->second)) {
      report.different.push_back(fmt::format("{} is {} there, {} here", named.first,
                                             form_of(found->second), form_of(named.second)));
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
