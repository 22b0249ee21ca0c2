#include "diagrad/models/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad::models {
namespace {

std::vector<ModelInfo>& all() {
  static std::vector<ModelInfo> models;
  return models;
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const ModelInfo& info : all()) result.push_back(info.name);
  return result;
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
  DG_CHECK(found != all().end(), "model: '{}' is unknown{} (use one of: {})", name,
           did_you_mean(name, names()), fmt::join(names(), ", "));
  return found->make(spec, OptionValues("model-opt", {name, spec.options}, found->options));
}

}  // namespace diagrad::models
