#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/core/size2.h"
#include "diagrad/nn/attention/attention.h"

namespace diagrad::nn {

/// What attention gets at a site if it sits at one placement.
struct SiteInput {
  Placement placement = Placement::pre_add;
  int64_t channels = 0;
  Size2 size = 1;             ///< (H, W) in pixels or patches, at the model's own input size
  Size2 stride = 1;           ///< of the convolution that replaces_conv replaces
  bool tokens = false;        ///< [B, prefix_tokens + H W, D] instead of [B,H,W,C]
  int64_t prefix_tokens = 0;  ///< before the patches, such as a class token
};

/// A place of a model where attention may be called, once in each forward pass.
struct AttentionSite {
  std::string path;   ///< of the module that owns the unit with sharing=block: `layer1.0`
  std::string stage;  ///< of the one that owns it with sharing=stage: `layer1`; empty: the model
  std::vector<SiteInput> inputs;  ///< one for each placement that the site offers
};

/// The sites of a model, in order of execution. It offers every placement that some site does;
/// sites that do not offer the one that is chosen have no attention. The first placement of the
/// last site is the model's default, the end of a branch.
struct AttentionSites {
  std::string model;  ///< its name in messages
  std::vector<AttentionSite> sites = {};
  /// Default sharing of variants that carry state; else the variant's own.
  std::optional<Sharing> stateful_sharing = std::nullopt;
};

/// Which unit serves which sites of a model:
///
///     plan_ = AttentionPlan(factory, sites, random);   // before the blocks, which ask it for
///     ...                                              // its placement
///     plan_.attach(*this);                             // after them: units get their owners
///
/// and in each forward pass an AttentionPass (pass.h) that calls the units. Sharing block makes a
/// unit for each site, `<path>.attention`, and stage one for each stage, `<stage>.attention`.
/// Network makes one for each distinct width, which may serve sites that are not contiguous: it
/// belongs to the stage where every width has a stage of its own, else to the model as
/// `attention.<width>`, or `attention` if there is one width.
///
/// Throws Error(usage) for a placement or a pooling that the model does not offer, and where sites
/// that share a unit differ in channels.
class AttentionPlan {
 public:
  AttentionPlan() = default;
  AttentionPlan(const AttentionFactory& factory, const AttentionSites& sites, RandomStream& random);

  /// Adds each unit to the module that owns it.
  void attach(Module& model) const;

  Placement placement() const { return placement_; }
  Sharing sharing() const { return sharing_; }
  Pool pool() const { return pool_; }
  /// In order of their first calls.
  const std::vector<std::shared_ptr<Attention>>& units() const { return units_; }
  /// What each unit was made for.
  const std::vector<UnitSpec>& specs() const { return specs_; }

  /// Who serves a site.
  struct Call {
    std::string site;                 ///< its path
    std::optional<size_t> unit = {};  ///< none: the site does not offer the placement
    int number = 0;                   ///< of the call within its unit
    SiteInput input = {};             ///< at the plan's placement
  };
  /// For each site, in the model's order.
  const std::vector<Call>& calls() const { return calls_; }

 private:
  Placement placement_ = Placement::pre_add;
  Sharing sharing_ = Sharing::block;
  Pool pool_ = Pool::all;
  std::vector<std::shared_ptr<Attention>> units_;
  std::vector<UnitSpec> specs_;
  std::vector<Call> calls_;
};

}  // namespace diagrad::nn
