#include "diagrad/nn/attention/attention.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/pool.h"

namespace diagrad::nn {
namespace {

constexpr std::array<std::pair<Sharing, std::string_view>, 3> kSharings = {
    {{Sharing::block, "block"}, {Sharing::stage, "stage"}, {Sharing::network, "network"}}};

constexpr std::array<std::pair<Placement, std::string_view>, 5> kPlacements = {
    {{Placement::pre_add, "pre_add"},
     {Placement::before_conv, "before_conv"},
     {Placement::after_conv2, "after_conv2"},
     {Placement::in_norm, "in_norm"},
     {Placement::replaces_conv, "replaces_conv"}}};

template <typename Table, typename Value>
std::string name_in(const Table& table, Value value) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const auto& entry) { return entry.first == value; });
  return std::string(found->second);
}

template <typename Table>
auto parse_in(const Table& table, const char* what, const std::string& text) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const auto& entry) { return entry.second == text; });
  if (found != table.end()) return found->first;
  std::vector<std::string> words;
  for (const auto& entry : table) words.emplace_back(entry.second);
  fail(ErrorKind::usage, "{}: '{}' is unknown{} (use one of: {})", what, text,
       did_you_mean(text, words), fmt::join(words, ", "));
}

std::vector<AttentionInfo>& all() {
  static std::vector<AttentionInfo> variants;
  return variants;
}

const AttentionInfo& find(const std::string& name) {
  std::vector<std::string> names;
  for (const AttentionInfo& info : all()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  fail(ErrorKind::usage, "attention: '{}' is unknown{} (use one of: {})", name,
       did_you_mean(name, names), fmt::join(names, ", "));
}

Option placement_option(const std::vector<Placement>& placements) {
  std::vector<std::string> words;
  for (const Placement placement : placements) words.push_back(name(placement));
  return choice_option("at", std::move(words), "where in a block");
}

}  // namespace

Sharing parse_sharing(const std::string& text) {
  return parse_in(kSharings, "sharing", text);
}

std::string name(Sharing sharing) {
  return name_in(kSharings, sharing);
}

Placement parse_placement(const std::string& text) {
  return parse_in(kPlacements, "attention: at", text);
}

std::string name(Placement placement) {
  return name_in(kPlacements, placement);
}

std::string name(Form form) {
  return form == Form::vector ? "vector" : "map";
}

Tensor Attention::apply(const Tensor& x, State& state) {
  const autograd::CallScope scope(unit_name_, state.block);
  Tensor y = rescale(x, state);
  ++state.block;
  return y;
}

Tensor Attention::end_block(Conv2d& conv, BatchNorm2d& norm, const Tensor& x,
                            const Tensor& residual, State& state) {
  if (form_ == Form::map) {
    return relu(diagrad::add(apply(norm.forward(conv.forward(x)), state), residual));
  }
  BnScaleAddRelu join = norm.join(conv, x, true);
  const autograd::CallScope scope(unit_name_, state.block);
  Tensor y = join.scale_add_relu(scale(join.pooled(), state), residual);
  ++state.block;
  return y;
}

Tensor Attention::factors(const Tensor& x, State& state) {
  const autograd::CallScope scope(unit_name_, state.block);
  Tensor s = scale(global_avg_pool(x), state);
  ++state.block;
  return s;
}

Tensor Attention::scale(const Tensor& pooled, State& /*state*/) {
  fail(ErrorKind::internal, "attention {}: gives no factors for pooled activations {}", unit_name_,
       pooled.shape());
}

Tensor Attention::rescale(const Tensor& x, State& state) {
  return channel_scale(x, scale(global_avg_pool(x), state));
}

bool register_attention(AttentionInfo info) {
  const auto place = std::lower_bound(
      all().begin(), all().end(), info,
      [](const AttentionInfo& a, const AttentionInfo& b) { return a.name < b.name; });
  DG_CHECK(place == all().end() || place->name != info.name, "attention '{}' is registered twice",
           info.name);
  if (info.placements.empty()) {
    info.placements = {Placement::pre_add, Placement::before_conv, Placement::after_conv2};
    if (info.form == Form::vector) info.placements.push_back(Placement::in_norm);
  }
  if (info.placements.size() > 1) info.options.push_back(placement_option(info.placements));
  all().insert(place, std::move(info));
  return true;
}

const std::vector<AttentionInfo>& attention_variants() {
  return all();
}

AttentionFactory::AttentionFactory(const std::string& text, const std::string& sharing) {
  const Selection selection = parse_selection("attention", text);
  info_ = find(selection.name);
  options_ = OptionValues("attention", selection, info_.options);
  sharing_ = sharing.empty() ? info_.sharing : parse_sharing(sharing);
  placement_ = info_.placements.size() > 1 ? parse_placement(options_.get_choice("at"))
                                           : info_.placements.front();
  // A value that the variant itself refuses is reported now, not when the first unit is made.
  (void)parameters({.channels = 64});
}

UnitSpec AttentionFactory::complete(const UnitSpec& unit) const {
  UnitSpec spec = unit;
  spec.sharing = sharing_;
  spec.placement = placement_;
  spec.options = options_;
  return spec;
}

std::shared_ptr<Attention> AttentionFactory::operator()(const UnitSpec& unit,
                                                        RandomStream& random) const {
  auto made = info_.make(complete(unit), random);
  made->form_ = info_.form;
  return made;
}

int64_t AttentionFactory::parameters(const UnitSpec& unit) const {
  return info_.parameters(complete(unit));
}

}  // namespace diagrad::nn
