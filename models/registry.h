#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/shape.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/module.h"

namespace diagrad::models {

/// What decides a model beside its name.
struct ModelSpec {
  int64_t classes = 10;
  Shape input = {};                ///< of one image, [H,W,C]
  std::string attention = "none";  ///< name[:option=value,...]
  std::string sharing = {};        ///< block, stage or network; empty: the attention's default
  std::vector<std::pair<std::string, std::string>> options = {};  ///< the model's, by --model-opt
  bool checkpoint_blocks = false;                                 ///< see ModelInfo
  uint64_t seed = 0;                                              ///< of the first weights
};

/// What a model is called with (nn::Inputs).
enum class CallForm { image, image_time, image_time_class };
/// "an image", "an image and a time".
std::string_view name(CallForm form);

/// What a model gives.
enum class Output {
  logits,     ///< [B,K]
  class_map,  ///< [B,H,W,K]
  image,      ///< [B,H,W,C], as its input
};
/// "logits", "a map of classes", "an image".
std::string_view name(Output output);

/// Weights out of a file, on their way into a model.
struct GivenState {
  nn::StateDict tensors = {};           ///< convolution weights [O,kh,kw,I]
  Shape input = {};                     ///< [H,W,C] they were trained on; empty: not known
  OptionValues options = {};            ///< those of `--init FILE:option=value`
  std::vector<std::string> notes = {};  ///< what was converted, a line each, for the user
};

struct ModelInfo {
  std::string name = {};
  std::string help = {};  ///< one line
  std::vector<Option> options = {};
  std::vector<CallForm> calls = {CallForm::image};  ///< those that it takes
  Output output = Output::logits;
  /// Whether it can compute its blocks again in backward instead of keeping what they save
  /// (nn::AttentionPass::checkpoint, nn/checkpoint.h).
  bool can_checkpoint = false;
  /// Default sharing of attention that carries state (nn::AttentionSites); else the variant's own.
  std::optional<nn::Sharing> stateful_sharing = std::nullopt;
  /// What `--no-decay` is where the user gives none: patterns for the model with these options,
  /// each of which must fit a parameter. Null: every parameter decays.
  std::function<std::vector<std::string>(const OptionValues&)> no_decay = {};
  Shape input = {};  ///< [H,W,C] of the images that it is meant for; empty: of any size
  /// Sizes that tell a user more than the number of parameters: "65 tokens of width 192". Null:
  /// there are none.
  std::function<std::string(const ModelSpec&, const OptionValues&)> sizes = {};
  /// What it does to images of another size than it was made for, as a note to the user: "its
  /// positions are interpolated"; empty, or an empty text: nothing.
  std::function<std::string(const OptionValues&)> at_other_sizes = {};
  std::string head = {};  ///< the layer whose size follows from the classes, e.g. `fc`
  std::vector<Option> init_options = {};  ///< of `--init FILE:option=value`, for `adapt`
  /// Converts weights of another form, such as positions of another grid, to that of `model`.
  /// Throws Error(usage or checkpoint) for what it cannot convert; null: nothing to convert.
  std::function<void(GivenState& given, const nn::Module& model)> adapt = {};
  std::function<std::shared_ptr<nn::Module>(const ModelSpec&, const OptionValues&)> make = {};
};

/// `const bool registered = register_model({...});` at namespace scope of the model's file.
bool register_model(ModelInfo info);
/// All models, in order of their names.
const std::vector<ModelInfo>& list();
/// Null for a name that is not registered: the model is a user's own.
const ModelInfo* find_if_registered(const std::string& name);
/// Throws Error(usage) with the names there are.
const ModelInfo& find(const std::string& name);
/// ModelInfo::sizes of a model; empty for one that is not registered or has none.
std::string sizes_of(const std::string& name, const ModelSpec& spec);
/// Who shares the attention `name[:option=value,...]` of a model: what the user says, else the
/// default of the model, else that of the variant. Throws for an unknown attention or sharing.
nn::Sharing sharing_of(const std::string& model, const std::string& attention,
                       const std::string& sharing);
/// Throws for a name that is not registered or an option that the model does not have, with what
/// there is.
std::shared_ptr<nn::Module> create(const std::string& name, const ModelSpec& spec);

}  // namespace diagrad::models
