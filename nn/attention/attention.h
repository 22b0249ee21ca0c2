#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/random.h"
#include "diagrad/core/size2.h"
#include "diagrad/nn/batch_norm2d.h"
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

/// Where in a residual block a unit sits. The paper's site of a variant is its default; `:at=...`
/// chooses another, so that variants can be compared at one site.
enum class Placement {
  pre_add,        ///< on the finished branch, before it is added to the shortcut
  before_conv,    ///< on the input of the block's second convolution
  after_conv2,    ///< on the output of the block's second convolution, before its normalisation
  in_norm,        ///< as factors of the weight of the branch's last normalisation
  replaces_conv,  ///< instead of the block's second convolution
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

/// What a unit is made for. Models fill in the sites; the factory adds what the user chose.
struct UnitSpec {
  int64_t channels = 0;             ///< C at its sites
  int64_t calls = 1;                ///< sites it serves in one forward pass
  std::vector<Size2> sizes = {};    ///< (H, W) of its input per call, at the model's own input size
  std::vector<Size2> strides = {};  ///< per call, of the convolution that it replaces
  Sharing sharing = Sharing::block;
  Placement placement = Placement::pre_add;
  OptionValues options = {};  ///< of the variant, defaults filled in
};

/// What passes from block to block within the scope of a unit: made empty by the caller in each
/// forward pass where the scope begins, never kept in a module.
struct State {
  std::vector<Tensor> tensors;  ///< recurrent ones, such as h and c; the variant knows the order
  int block = 0;                ///< the site being served, counted from 0
};

/// A unit of attention: rescales the activations x [B,...,C] of a block. One object may serve one
/// site or many; the sharing decides. All its calls carry the label (unit name, state.block), so
/// that the gradient of a shared parameter can be told apart by call, and move state.block on.
class Attention : public Module {
 public:
  /// x rescaled.
  Tensor apply(const Tensor& x, State& state);
  /// relu(apply(norm(conv(x))) + residual): the end of a post-activation residual block, fused for
  /// vectors. The convolution has no bias.
  virtual Tensor end_block(Conv2d& conv, BatchNorm2d& norm, const Tensor& x, const Tensor& residual,
                           State& state);
  /// The factors s [B,C] that apply would multiply x by. Vector form only.
  Tensor factors(const Tensor& x, State& state);

  /// The owner's name, as in the state dict: `layer1.attention`.
  void set_unit_name(const std::string& name) { unit_name_ = name; }
  const std::string& unit_name() const { return unit_name_; }
  Form form() const { return form_; }

 protected:
  /// Vector form: the factors s [B,C] from the pooled activations [B,C].
  virtual Tensor scale(const Tensor& pooled, State& state);
  /// Map form: x rescaled. By default x * scale(pool(x)).
  virtual Tensor rescale(const Tensor& x, State& state);

 private:
  friend class AttentionFactory;

  std::string unit_name_ = "attention";
  Form form_ = Form::vector;
};

/// One entry of the registry.
struct AttentionInfo {
  std::string name = {};
  std::string help = {};             ///< one line
  std::string citation = {};         ///< paper, equation or public file
  std::vector<Option> options = {};  ///< the registry adds `at` where there is a choice
  bool carries_state = false;
  Form form = Form::vector;
  Sharing sharing = Sharing::block;  ///< unless the user says otherwise
  /// Sites it can take, its default first; empty: pre_add, before_conv, after_conv2, and in_norm
  /// for vectors.
  std::vector<Placement> placements = {};
  std::function<std::shared_ptr<Attention>(const UnitSpec&, RandomStream&)> make = {};
  std::function<int64_t(const UnitSpec&)> parameters = {};  ///< closed form, per unit
};

/// `const bool registered = register_attention({...});` at namespace scope of the variant's file.
bool register_attention(AttentionInfo info);
/// All variants, in order of their names.
const std::vector<AttentionInfo>& attention_variants();

/// Makes the units of one model from `name[:option=value,...]` and an optional sharing. Models
/// never name a variant; they hold one of these. Throws for an unknown name, option or value.
class AttentionFactory {
 public:
  explicit AttentionFactory(const std::string& text, const std::string& sharing = {});

  std::shared_ptr<Attention> operator()(const UnitSpec& unit, RandomStream& random) const;
  int64_t parameters(const UnitSpec& unit) const;
  Sharing sharing() const { return sharing_; }
  Placement placement() const { return placement_; }
  const AttentionInfo& info() const { return info_; }

 private:
  UnitSpec complete(const UnitSpec& unit) const;

  AttentionInfo info_;  ///< a copy: later registrations move the entries
  OptionValues options_;
  Sharing sharing_;
  Placement placement_ = Placement::pre_add;
};

}  // namespace diagrad::nn
