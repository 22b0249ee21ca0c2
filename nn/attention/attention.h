#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/core/spec.h"
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

/// What a unit is made for.
struct UnitSpec {
  int64_t channels = 0;  ///< C at its sites
  int64_t calls = 1;     ///< sites it serves in one forward pass
};

/// What passes from block to block within the scope of a unit: made empty by the caller in each
/// forward pass where the scope begins, never kept in a module.
struct State {
  std::vector<Tensor> tensors;  ///< recurrent ones, such as h and c; the variant knows the order
  int block = 0;                ///< the site being served, counted from 0
};

/// A unit of attention: rescales the residual branch x [B,...,C] of a block. One object may serve
/// one site or many; the sharing decides.
class Attention : public Module {
 public:
  /// x rescaled. Its operations carry the label (unit name, state.block), so that the gradient of
  /// a shared parameter can be told apart by call; then state.block moves on.
  Tensor apply(const Tensor& x, State& state);
  /// relu(apply(x) + residual): the end of a post-activation residual block, fused where the
  /// variant is one factor per channel.
  Tensor apply_add_relu(const Tensor& x, const Tensor& residual, State& state);

  /// The owner's name, as in the state dict: `layer1.attention`.
  void set_unit_name(const std::string& name) { unit_name_ = name; }
  const std::string& unit_name() const { return unit_name_; }

 protected:
  /// Most variants: the factors s [B,C] from the pooled branch [B,C].
  virtual Tensor scale(const Tensor& pooled, State& state);
  /// Variants that are not one factor per channel override both; by default they pool, scale and
  /// multiply.
  virtual Tensor rescaled(const Tensor& x, State& state);
  virtual Tensor rescaled_add_relu(const Tensor& x, const Tensor& residual, State& state);

 private:
  std::string unit_name_ = "attention";
};

struct AttentionOption {
  std::string name;
  std::string fallback;
  std::string help;
};

/// One entry of the registry. `make` and `parameters` take the options they know from the Spec.
struct AttentionInfo {
  std::string name = {};
  std::string help = {};      ///< one line
  std::string citation = {};  ///< paper, equation or public file
  std::vector<AttentionOption> options = {};
  bool carries_state = false;
  Sharing sharing = Sharing::block;  ///< unless the user says otherwise
  std::function<std::shared_ptr<Attention>(const UnitSpec&, Spec&, RandomStream&)> make = {};
  std::function<int64_t(const UnitSpec&, Spec&)> parameters = {};  ///< closed form, per unit
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
  const AttentionInfo& info() const { return info_; }

 private:
  Spec spec_;
  AttentionInfo info_;  ///< a copy: later registrations move the entries
  Sharing sharing_;
};

}  // namespace diagrad::nn
