#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diagrad/nn/attention/plan.h"

namespace diagrad::nn {

/// One call of a unit, while it happens.
struct UnitCall {
  const std::string& unit;  ///< its name, `layer1.attention`
  const std::string& site;  ///< the path of the block it serves, `layer1.0`
  int call;                 ///< counted from 0 within the unit
  State& state;             ///< before the call on entry, after it on leave; may be changed
};

/// Sees, and may replace, what enters and leaves each call of a unit, by returning another tensor.
/// A tap that returns what it gets changes no bit of the pass.
class CallTap {
 public:
  CallTap() = default;
  virtual ~CallTap() = default;
  CallTap(const CallTap&) = delete;
  CallTap& operator=(const CallTap&) = delete;

  /// What the unit reads: the mean of each channel, [B,C], for variants that read it alone; else
  /// the activations x [B,...,C].
  virtual Tensor on_enter(const UnitCall& call, const Tensor& input);
  /// What it gives: the factors s [B,C], or x rescaled for the map form.
  virtual Tensor on_leave(const UnitCall& call, const Tensor& output);
};

/// Attaches a tap to the passes that begin on this thread until it ends; the innermost one counts.
class CallTapScope {
 public:
  explicit CallTapScope(CallTap& tap);
  ~CallTapScope();
  CallTapScope(const CallTapScope&) = delete;
  CallTapScope& operator=(const CallTapScope&) = delete;

 private:
  CallTap* before_;
};

class SiteAttention;

/// The calls of a plan's units in one forward pass. It holds a state for each unit, empty at
/// first, which lives until the pass ends: across blocks of other units that lie between.
/// The plan must outlive it.
class AttentionPass {
 public:
  explicit AttentionPass(const AttentionPlan& plan);

  /// The attention of a site, by its index in the model's list. Sites are called in order.
  SiteAttention at(size_t site);

  using Run = std::function<Tensor(std::span<const Tensor> inputs, AttentionPass& pass)>;
  /// run(inputs, *this) as an activation checkpoint (autograd/checkpoint.h): the sites that `run`
  /// calls, on the pass that it is given, are called again in backward, from the states of now.
  /// `run` may hold no reference to what is gone by then; the plan must outlive the graph. A pass
  /// with a tap runs without a checkpoint: the tap sees each call once.
  Tensor checkpoint(std::span<const Tensor> inputs, const Run& run);
  using RunOne = std::function<Tensor(const Tensor& x, AttentionPass& pass)>;
  /// The same of one input.
  Tensor checkpoint(const Tensor& x, const RunOne& run);

 private:
  friend class SiteAttention;

  const AttentionPlan* plan_;
  CallTap* tap_;
  std::vector<State> states_;
};

/// The attention of one site in one pass.
class SiteAttention {
 public:
  /// Whether the plan put attention here, at this placement, and it does anything.
  bool is_at(Placement placement) const;
  /// x [B,...,C] rescaled by the unit.
  Tensor apply(const Tensor& x) const;
  /// apply(x) where the placement is this one, else x.
  Tensor apply_at(Placement placement, const Tensor& x) const;
  /// apply(x) where the site has attention at the plan's placement, else x: for sites whose
  /// placements all mean the same point of the block.
  Tensor apply_if_any(const Tensor& x) const;
  /// The factors s [B,C] that apply would multiply x by. Vector form only.
  Tensor factors(const Tensor& x) const;
  /// The same from the mean of x [B,C], for units whose `needs_mean_only`.
  Tensor factors_of_mean(const Tensor& mean) const;
  /// Whether factors come from the mean alone.
  bool needs_mean_only() const;
  Form form() const { return unit().form(); }

 private:
  friend class AttentionPass;
  SiteAttention(AttentionPass& pass, size_t site) : pass_(&pass), site_(site) {}

  const AttentionPlan::Call& call() const { return pass_->plan_->calls()[site_]; }
  Attention& unit() const;
  /// Calls `run` with what enters and the unit's state; gives what leaves.
  template <typename Run>
  Tensor tapped(const Tensor& input, const Run& run) const;
  /// The tokens of x that are pooled.
  Tensor pooled_part(const Tensor& x) const;

  AttentionPass* pass_;
  size_t site_;
};

}  // namespace diagrad::nn
