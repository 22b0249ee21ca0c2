#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/random.h"
#include "diagrad/core/size2.h"
#include "diagrad/nn/attention/channel_stats.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// How many blocks one attention unit serves.
enum class Sharing {
  block,    ///< one unit per site
  stage,    ///< one per stage
  network,  ///< one per distinct width
};
/// Throws for other words than block, stage and network.
Sharing parse_sharing(const std::string& text);
std::string name(Sharing sharing);

/// Where in a block a unit sits. The paper's site of a variant is its default; `:at=...` chooses
/// another, so that variants can be compared at one site. Each model offers some of them.
enum class Placement {
  pre_add,        ///< on the finished branch, before it is added to the shortcut
  before_conv,    ///< on the input of the block's second convolution
  after_conv2,    ///< on the output of the block's second convolution, before its normalisation
  in_norm,        ///< as factors of the weight of the branch's last normalisation
  replaces_conv,  ///< instead of the block's second convolution
  ffn,            ///< transformers: on the feed-forward branch, before it is added
  attn,           ///< transformers: on the branch of self-attention, before it is added
  both,           ///< transformers: on either branch
};
/// Throws for a word that is none of the above.
Placement parse_placement(const std::string& text);
std::string name(Placement placement);

/// What a unit makes of its input.
enum class Form {
  vector,  ///< one factor per image and channel: the variant overrides `scale`
  map,     ///< anything of the same shape: it overrides `rescale`
};
std::string name(Form form);

/// Which tokens the statistics are taken of; all pixels of images.
enum class Pool {
  all,
  patches,      ///< without the prefix tokens
  class_token,  ///< the first prefix token alone
};

/// What a unit is made for. The plan fills in the sites; the factory adds what the user chose.
struct UnitSpec {
  int64_t channels = 0;             ///< C at its sites
  int64_t calls = 1;                ///< sites it serves in one forward pass
  std::vector<Size2> sizes = {};    ///< (H, W) of its input per call, in pixels or patches, at the
                                    ///< model's own input size
  std::vector<Size2> strides = {};  ///< per call, of the convolution that it replaces
  bool tokens = false;              ///< inputs are [B, prefix + H W, D] instead of [B,H,W,C]
  int64_t prefix_tokens = 0;        ///< tokens before the patches, such as a class token
  Sharing sharing = Sharing::block;
  Placement placement = Placement::pre_add;
  OptionValues options = {};  ///< of the variant, defaults filled in
};

/// What passes from call to call of a unit in one forward pass: empty at the first one, never kept
/// in a module.
struct State {
  std::vector<Tensor> tensors;  ///< recurrent ones, such as h and c; the variant knows the order
  int call = 0;                 ///< the call being served, counted from 0
};

/// A unit of attention: rescales the activations x [B,...,C] of a block. One object may serve one
/// site or many; the sharing decides. All its calls carry the label (unit name, state.call), so
/// that the gradient of a shared parameter can be told apart by call, and advance state.call.
class Attention : public Module {
 public:
  /// x rescaled; statistics are taken of all positions.
  Tensor apply(const Tensor& x, State& state);
  /// The factors s [B,C] of activations with these statistics. Vector form only.
  Tensor factors(const ChannelStats& stats, State& state);

  /// The owner's name, as in the state dict: `layer1.attention`.
  void set_unit_name(const std::string& name) { unit_name_ = name; }
  const std::string& unit_name() const { return unit_name_; }
  Form form() const { return form_; }
  Statistics statistics() const { return statistics_; }
  /// Leaves every input as it is.
  bool is_identity() const { return identity_; }

 protected:
  /// Vector form: the factors s [B,C].
  virtual Tensor scale(const ChannelStats& stats, State& state);
  /// Map form: x rescaled. By default x * scale(stats of x).
  virtual Tensor rescale(const Tensor& x, State& state);

 private:
  friend class AttentionFactory;

  std::string unit_name_ = "attention";
  Form form_ = Form::vector;
  Statistics statistics_ = Statistics::mean;
  bool identity_ = false;
};

/// One entry of the registry.
struct AttentionInfo {
  std::string name = {};
  std::string help = {};             ///< one line
  std::string citation = {};         ///< paper, equation or public file
  std::vector<Option> options = {};  ///< the registry adds `at` and `pool` where there is a choice
  bool carries_state = false;
  Form form = Form::vector;
  Statistics statistics = Statistics::mean;  ///< what its `scale` reads
  bool identity = false;                     ///< leaves every input as it is, at any placement
  Sharing sharing = Sharing::block;          ///< unless the user or the model says otherwise
  /// Where it can sit, its default first; empty: pre_add, before_conv, after_conv2, and for vectors
  /// in_norm, ffn, attn and both.
  std::vector<Placement> placements = {};
  std::function<std::shared_ptr<Attention>(const UnitSpec&, RandomStream&)> make = {};
  std::function<int64_t(const UnitSpec&)> parameters = {};  ///< closed form, per unit
  /// Throws for values of the options that are refused whatever the unit; may be empty.
  std::function<void(const OptionValues&)> check = {};
};

/// `const bool registered = register_attention({...});` at namespace scope of the variant's file.
/// Throws for a name that is empty or taken, and without `make` or `parameters`.
bool register_attention(AttentionInfo info);
/// All variants, in order of their names.
const std::vector<AttentionInfo>& attention_variants();

/// What the user chose by `name[:option=value,...]` and an optional sharing. Models never name a
/// variant; their plan (plan.h) makes its units with one of these. Throws for an unknown name,
/// option or value.
class AttentionFactory {
 public:
  explicit AttentionFactory(const std::string& text, const std::string& sharing = {});

  /// One unit. Its sharing and placement are those of `unit`.
  std::shared_ptr<Attention> operator()(const UnitSpec& unit, RandomStream& random) const;
  int64_t parameters(const UnitSpec& unit) const;
  /// What the user chose, else the model's default for variants that carry state, else the
  /// variant's.
  Sharing sharing(std::optional<Sharing> stateful = std::nullopt) const;
  /// What the user chose by `:at=`, else the variant's default. Where a model does not offer
  /// pre_add as such, the default pre_add means the first of its `offered` placements, and an
  /// identity takes that one always. Throws Error(usage), naming what `model` offers, for
  /// any other placement that is not offered.
  Placement placement(const std::vector<Placement>& offered, const std::string& model) const;
  Pool pool() const { return pool_; }
  const AttentionInfo& info() const { return info_; }

 private:
  UnitSpec complete(const UnitSpec& unit) const;

  AttentionInfo info_;  ///< a copy: later registrations move the entries
  OptionValues options_;
  std::optional<Sharing> sharing_;
  std::optional<Placement> placement_;
  Pool pool_ = Pool::all;
};

}  // namespace diagrad::nn
