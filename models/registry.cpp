#include "diagrad/models/registry.h"

#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"

namespace diagrad::models {
namespace {

Registry<ModelInfo>& registry() {
  static Registry<ModelInfo> all("model");
  return all;
}

}  // namespace

std::string_view name(CallForm form) {
  switch (form) {
    case CallForm::image:
      return "an image";
    case CallForm::image_time:
      return "an image and a time";
    case CallForm::image_time_class:
      break;
  }
  return "an image, a time and a class";
}

std::string_view name(Output output) {
  switch (output) {
    case Output::logits:
      return "logits";
    case Output::class_map:
      return "a map of classes";
    case Output::image:
      break;
  }
  return "an image";
}

bool register_model(ModelInfo info) {
  return registry().add(std::move(info));
}

const std::vector<ModelInfo>& list() {
  return registry().all();
}

const ModelInfo* find_if_registered(const std::string& name) {
  for (const ModelInfo& info : list()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const ModelInfo& find(const std::string& name) {
  return registry().find(name);
}

std::string sizes_of(const std::string& name, const ModelSpec& spec) {
  const ModelInfo* info = find_if_registered(name);
  if (info == nullptr || !info->sizes) return "";
  return info->sizes(spec, OptionValues("model-opt", {name, spec.options}, info->options));
}

nn::Sharing sharing_of(const std::string& model, const std::string& attention,
                       const std::string& sharing) {
  const ModelInfo* info = find_if_registered(model);
  const nn::AttentionFactory factory(attention, sharing);
  return factory.sharing(info == nullptr ? std::nullopt : info->stateful_sharing);
}

std::shared_ptr<nn::Module> create(const std::string& name, const ModelSpec& spec) {
  const ModelInfo& info = find(name);
  DG_CHECK(!spec.checkpoint_blocks || info.can_checkpoint,
           "checkpoint-blocks: model {} does not offer it; leave it out", name);
  return info.make(spec, OptionValues("model-opt", {name, spec.options}, info.options));
}

}  // namespace diagrad::models
