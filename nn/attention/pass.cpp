#include "diagrad/nn/attention/pass.h"

#include <memory>
#include <span>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/nn/checkpoint.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/slice.h"

namespace diagrad::nn {
namespace {

thread_local CallTap* current_tap = nullptr;

}  // namespace

Tensor CallTap::on_enter(const UnitCall& /*call*/, const Tensor& input) {
  return input;
}

Tensor CallTap::on_leave(const UnitCall& /*call*/, const Tensor& output) {
  return output;
}

CallTapScope::CallTapScope(CallTap& tap) : before_(std::exchange(current_tap, &tap)) {}

CallTapScope::~CallTapScope() {
  current_tap = before_;
}

AttentionPass::AttentionPass(const AttentionPlan& plan)
    : plan_(&plan), tap_(current_tap), states_(plan.units().size()) {}

SiteAttention AttentionPass::at(size_t site) {
  DG_ASSERT(site < plan_->calls().size(), "attention: site {} of {}", site, plan_->calls().size());
  return {*this, site};
}

Tensor AttentionPass::checkpoint(const Tensor& x, const RunOne& run) {
  return checkpoint(std::span<const Tensor>(&x, 1),
                    [run](std::span<const Tensor> inputs, AttentionPass& pass) {
                      return run(inputs.front(), pass);
                    });
}

Tensor AttentionPass::checkpoint(std::span<const Tensor> inputs, const Run& run) {
  if (tap_ != nullptr) return run(inputs, *this);
  std::vector<Tensor> all(inputs.begin(), inputs.end());
  for (const State& state : states_) {
    all.insert(all.end(), state.tensors.begin(), state.tensors.end());
  }
  // The states after the run, for this pass; the results of the checkpoint take their tensors'
  // place.
  const auto after = std::make_shared<std::vector<State>>();
  const auto function = [before = *this, after, run,
                         count = inputs.size()](std::span<const Tensor> saved) {
    AttentionPass pass = before;
    std::vector<Tensor> results = {run(saved.first(count), pass)};
    for (size_t unit = 0; unit < pass.states_.size(); ++unit) {
      State& state = pass.states_[unit];
      if (state.call == before.states_[unit].call) continue;  // not called
      for (Tensor& tensor : state.tensors) results.push_back(std::exchange(tensor, Tensor()));
    }
    *after = std::move(pass.states_);
    return results;
  };
  const std::vector<Tensor> results = nn::checkpoint(function, all);
  size_t next = 1;
  for (size_t unit = 0; unit < states_.size(); ++unit) {
    if ((*after)[unit].call == states_[unit].call) continue;
    states_[unit] = std::move((*after)[unit]);
    for (Tensor& tensor : states_[unit].tensors) tensor = results[next++];
  }
  after->clear();
  return results.front();
}

Attention& SiteAttention::unit() const {
  DG_ASSERT(call().unit.has_value(), "attention: {} has none at this placement", call().site);
  return *pass_->plan_->units()[*call().unit];
}

bool SiteAttention::is_at(Placement placement) const {
  return call().unit.has_value() && pass_->plan_->placement() == placement && !unit().is_identity();
}

bool SiteAttention::needs_mean_only() const {
  return form() == Form::vector && unit().statistics() == Statistics::mean;
}

template <typename Run>
Tensor SiteAttention::tapped(const Tensor& input, const Run& run) const {
  State& state = pass_->states_[*call().unit];
  DG_ASSERT(state.call == call().number, "attention: {} is call {} of {}, but {} were made",
            call().site, call().number, unit().unit_name(), state.call);
  CallTap* tap = pass_->tap_;
  if (tap == nullptr) return run(input, state);
  const UnitCall now{unit().unit_name(), call().site, call().number, state};
  const Tensor read = tap->on_enter(now, input);
  return tap->on_leave(now, run(read, state));
}

Tensor SiteAttention::pooled_part(const Tensor& x) const {
  const int64_t prefix = call().input.prefix_tokens;
  switch (pass_->plan_->pool()) {
    case Pool::patches:
      return slice(x, 1, prefix, x.size(1));
    case Pool::class_token:
      return slice(x, 1, 0, 1);
    case Pool::all:
      break;
  }
  return x;
}

Tensor SiteAttention::factors_of_mean(const Tensor& mean) const {
  return tapped(mean, [&](const Tensor& y, State& state) {
    return unit().factors(ChannelStats::of_mean(y), state);
  });
}

Tensor SiteAttention::factors(const Tensor& x) const {
  const Tensor part = pooled_part(x);
  if (needs_mean_only()) return factors_of_mean(global_avg_pool(part));
  return tapped(
      part, [&](const Tensor& y, State& state) { return unit().factors(ChannelStats(y), state); });
}

Tensor SiteAttention::apply(const Tensor& x) const {
  if (unit().is_identity()) return x;
  if (form() == Form::vector) return channel_scale(x, factors(x));
  return tapped(x, [&](const Tensor& y, State& state) { return unit().apply(y, state); });
}

Tensor SiteAttention::apply_if_any(const Tensor& x) const {
  return call().unit.has_value() ? apply(x) : x;
}

Tensor SiteAttention::apply_at(Placement placement, const Tensor& x) const {
  return is_at(placement) ? apply(x) : x;
}

}  // namespace diagrad::nn
