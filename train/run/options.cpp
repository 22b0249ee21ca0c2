#include "diagrad/train/run/options.h"

#include <fmt/format.h>

#include <type_traits>

#include "diagrad/core/error.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/run/optimization.h"
#include "diagrad/train/run/option_effect.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {
namespace {

/// Throws for a value that its option does not allow.
void check_each(const Options& options) {
  for (const OptionInfo& info : option_table()) {
    const std::string& name = info.option.name;
    std::visit(
        [&](auto member) {
          const auto& value = options.*member;
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::optional<double>>) {
            if (value) check_value(name, info.option, *value);
          } else if constexpr (!std::is_same_v<T, std::vector<std::string>>) {
            check_value(name, info.option, value);
          }
        },
        info.member);
  }
}

template <typename T>
T only(std::string_view where, const Option& option, const std::vector<std::string>& texts) {
  DG_CHECK(texts.size() == 1, "{}: takes one value, got {}", where, texts.size());
  return std::get<T>(parse_value(where, option, texts.front()));
}

}  // namespace

void assign(Options& options, const OptionInfo& info, std::string_view where,
            const std::vector<std::string>& texts) {
  std::visit(
      [&](auto member) {
        auto& value = options.*member;
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          value = texts;
        } else if constexpr (std::is_same_v<T, std::optional<double>>) {
          value = only<double>(where, info.option, texts);
        } else {
          value = only<T>(where, info.option, texts);
        }
      },
      info.member);
}

double Options::learning_rate() const {
  return lr > 0.0 ? lr : find_optimizer(optimizer).lr;
}

std::vector<std::string> Options::augmentations() const {
  return augment.empty() ? find_task(task).augment : augment;
}

void Options::fill_defaults() {
  lr = learning_rate();
  augment = augmentations();
  if (!momentum) momentum = find_optimizer(optimizer).momentum;
  fill_no_decay();
}

void Options::fill_no_decay() {
  if (!no_decay.empty()) return;
  const models::ModelInfo* info = models::find_if_registered(model);
  if (info == nullptr || !info->no_decay) return;
  no_decay =
      info->no_decay(OptionValues("model-opt", {model, model_options(*this)}, info->options));
}

void Options::validate() const {
  DG_CHECK(precision != "bf16",
           "precision: bf16 is not trained in by this version yet, use f32 or f64");
  if (!sharing.empty()) nn::parse_sharing(sharing);
  DG_CHECK(lr >= 0.0, "lr: {} must be above 0, e.g. 0.1, or 0 for the optimizer's default", lr);
  check_each(*this);
  DG_CHECK((mixup == 0.0 && cutmix == 0.0) || find_task(task).can_mix,
           "{}: the targets of task {} cannot be mixed; leave --mixup and --cutmix out",
           mixup > 0.0 ? "mixup" : "cutmix", find_task(task).name);
  // Made for their checks alone.
  make_task(task);
  make_optimizer(optimizer, momentum, {});
  make_learning_rate(*this, /*steps_per_epoch=*/1);
}

}  // namespace diagrad::train
