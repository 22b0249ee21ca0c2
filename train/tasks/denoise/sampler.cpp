#include "diagrad/train/tasks/denoise/sampler.h"

#include <utility>

#include "diagrad/core/registry.h"

namespace diagrad::train {
namespace {

Registry<SamplerInfo>& registry() {
  static Registry<SamplerInfo> all("sampler");
  return all;
}

}  // namespace

bool register_sampler(SamplerInfo info) {
  return registry().add(std::move(info));
}

const std::vector<SamplerInfo>& samplers() {
  return registry().all();
}

const SamplerInfo& find_sampler(std::string_view text) {
  return registry().find(parse_selection("sampler", text).name);
}

std::shared_ptr<const Sampler> make_sampler(std::string_view text) {
  const SamplerInfo& info = find_sampler(text);
  return info.make(OptionValues("sampler", parse_selection("sampler", text), info.options));
}

}  // namespace diagrad::train
