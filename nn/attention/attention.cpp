#include "diagrad/nn/attention/attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/pool.h"

namespace diagrad::nn {
namespace {

std::vector<AttentionInfo>& all() {
  static std::vector<AttentionInfo> variants;
  return variants;
}

const AttentionInfo& find(const std::string& name) {
  const auto found = std::find_if(all().begin(), all().end(),
                                  [&](const AttentionInfo& info) { return info.name == name; });
  if (found != all().end()) return *found;
  std::vector<std::string> names;
  for (const AttentionInfo& info : all()) names.push_back(info.name);
  fail(ErrorKind::usage, "attention: '{}' is unknown, use one of: {}", name,
       fmt::join(names, ", "));
}

}  // namespace

Sharing parse_sharing(const std::string& text) {
  for (const Sharing sharing : {Sharing::block, Sharing::stage, Sharing::network}) {
    if (name(sharing) == text) return sharing;
  }
  fail(ErrorKind::usage, "sharing: '{}' is unknown, use block, stage or network", text);
}

std::string name(Sharing sharing) {
  switch (sharing) {
    case Sharing::block:
      return "block";
    case Sharing::stage:
      return "stage";
    case Sharing::network:
      break;
  }
  return "network";
}

Tensor Attention::apply(const Tensor& x, State& state) {
  const autograd::CallScope scope(unit_name_, state.block);
  Tensor y = rescaled(x, state);
  ++state.block;
  return y;
}

Tensor Attention::apply_add_relu(const Tensor& x, const Tensor& residual, State& state) {
  const autograd::CallScope scope(unit_name_, state.block);
  Tensor y = rescaled_add_relu(x, residual, state);
  ++state.block;
  return y;
}

Tensor Attention::scale(const Tensor& pooled, State& /*state*/) {
  fail(ErrorKind::internal, "attention {}: gives no factors for a pooled branch {}", unit_name_,
       pooled.shape());
}

Tensor Attention::rescaled(const Tensor& x, State& state) {
  return channel_scale(x, scale(global_avg_pool(x), state));
}

Tensor Attention::rescaled_add_relu(const Tensor& x, const Tensor& residual, State& state) {
  return channel_scale_add_relu(x, scale(global_avg_pool(x), state), residual);
}

bool register_attention(AttentionInfo info) {
  const auto place = std::lower_bound(
      all().begin(), all().end(), info,
      [](const AttentionInfo& a, const AttentionInfo& b) { return a.name < b.name; });
  DG_CHECK(place == all().end() || place->name != info.name, "attention '{}' is registered twice",
           info.name);
  all().insert(place, std::move(info));
  return true;
}

const std::vector<AttentionInfo>& attention_variants() {
  return all();
}

AttentionFactory::AttentionFactory(const std::string& text, const std::string& sharing)
    : spec_("attention", text),
      info_(find(spec_.name())),
      sharing_(sharing.empty() ? info_.sharing : parse_sharing(sharing)) {
  // A wrong option is reported now, not when the first unit is made.
  (void)parameters({.channels = 64, .calls = 1});
}

std::shared_ptr<Attention> AttentionFactory::operator()(const UnitSpec& unit,
                                                        RandomStream& random) const {
  Spec options = spec_;
  auto made = info_.make(unit, options, random);
  options.finish();
  return made;
}

int64_t AttentionFactory::parameters(const UnitSpec& unit) const {
  Spec options = spec_;
  const int64_t count = info_.parameters(unit, options);
  options.finish();
  return count;
}

}  // namespace diagrad::nn
