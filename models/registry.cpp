#include "diagrad/models/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::models {
namespace {

std::vector<ModelInfo>& all() {
  static std::vector<ModelInfo> models;
  return models;
}

template <typename Entries>
std::string names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

bool register_model(ModelInfo info) {
  const auto place =
      std::lower_bound(all().begin(), all().end(), info,
                       [](const ModelInfo& a, const ModelInfo& b) { return a.name < b.name; });
  DG_CHECK(place == all().end() || place->name != info.name, "model '{}' is registered twice",
           info.name);
  all().insert(place, std::move(info));
  return true;
}

const std::vector<ModelInfo>& list() {
  return all();
}

std::shared_ptr<nn::Module> create(const std::string& name, const ModelSpec& spec) {
  const auto found = std::find_if(all().begin(), all().end(),
                                  [&](const ModelInfo& info) { return info.name == name; });
  DG_CHECK(found != all().end(), "model: '{}' is unknown, use one of: {}", name, names_of(all()));
  for (const auto& given : spec.options) {
    DG_CHECK(std::any_of(found->options.begin(), found->options.end(),
                         [&](const ModelOption& option) { return option.name == given.first; }),
             "model-opt: {} has no option '{}', its options are: {}", name, given.first,
             names_of(found->options));
  }
  return found->make(spec);
}

}  // namespace diagrad::models
