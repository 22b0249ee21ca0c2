#include "diagrad/nn/attention/attention.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"
#include "diagrad/core/spelling.h"
#include "diagrad/ops/channel_scale.h"

namespace diagrad::nn {
namespace {

constexpr std::array<std::pair<Sharing, std::string_view>, 3> kSharings = {
    {{Sharing::block, "block"}, {Sharing::stage, "stage"}, {Sharing::network, "network"}}};

constexpr std::array<std::pair<Placement, std::string_view>, 8> kPlacements = {
    {{Placement::pre_add, "pre_add"},
     {Placement::before_conv, "before_conv"},
     {Placement::after_conv2, "after_conv2"},
     {Placement::in_norm, "in_norm"},
     {Placement::replaces_conv, "replaces_conv"},
     {Placement::ffn, "ffn"},
     {Placement::attn, "attn"},
     {Placement::both, "both"}}};

constexpr std::array<std::pair<Pool, std::string_view>, 3> kPools = {
    {{Pool::all, "all"}, {Pool::patches, "patches"}, {Pool::class_token, "class"}}};

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

std::vector<std::string> names_of(const std::vector<Placement>& placements) {
  std::vector<std::string> words;
  for (const Placement placement : placements) words.push_back(name(placement));
  return words;
}

Option placement_option(const std::vector<Placement>& placements) {
  return choice_option("at", names_of(placements), "where in a block");
}

Option pool_option() {
  std::vector<std::string> words;
  for (const auto& entry : kPools) words.emplace_back(entry.second);
  return choice_option("pool", std::move(words), "tokens that the statistics are taken of");
}

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// Reads tokens, and has a choice of which.
bool pools_tokens(const AttentionInfo& info) {
  return info.form == Form::vector && contains(info.placements, Placement::ffn);
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
  const autograd::CallScope scope(unit_name_, state.call);
  Tensor y = rescale(x, state);
  ++state.call;
  return y;
}

Tensor Attention::factors(const ChannelStats& stats, State& state) {
  const autograd::CallScope scope(unit_name_, state.call);
  Tensor s = scale(stats, state);
  ++state.call;
  return s;
}

Tensor Attention::scale(const ChannelStats& /*stats*/, State& /*state*/) {
  fail(ErrorKind::internal, "attention {}: has no factors, it does not override scale", unit_name_);
}

Tensor Attention::rescale(const Tensor& x, State& state) {
  return channel_scale(x, scale(ChannelStats::of(x, statistics_), state));
}

bool register_attention(AttentionInfo info) {
  check_registration("attention", info.name, info.make != nullptr);
  DG_CHECK(info.parameters != nullptr,
           "attention '{}' is registered without .parameters, the number of parameters of a unit",
           info.name);
  const auto place = std::lower_bound(
      all().begin(), all().end(), info,
      [](const AttentionInfo& a, const AttentionInfo& b) { return a.name < b.name; });
  DG_CHECK(place == all().end() || place->name != info.name, "attention '{}' is registered twice",
           info.name);
  if (info.placements.empty()) {
    info.placements = {Placement::pre_add, Placement::before_conv, Placement::after_conv2};
    if (info.form == Form::vector) {
      info.placements.insert(info.placements.end(), {Placement::in_norm, Placement::ffn,
                                                     Placement::attn, Placement::both});
    }
  }
  if (info.placements.size() > 1) info.options.push_back(placement_option(info.placements));
  if (pools_tokens(info)) info.options.push_back(pool_option());
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
  if (!sharing.empty()) sharing_ = parse_sharing(sharing);
  for (const auto& option : selection.options) {
    if (option.first == "at" && info_.placements.size() > 1) {
      placement_ = parse_placement(option.second);
    }
  }
  if (pools_tokens(info_)) {
    pool_ = parse_in(kPools, "attention: pool", options_.get_choice("pool"));
  }
  if (info_.check) info_.check(options_);
}

Sharing AttentionFactory::sharing(std::optional<Sharing> stateful) const {
  if (sharing_) return *sharing_;
  return info_.carries_state ? stateful.value_or(info_.sharing) : info_.sharing;
}

Placement AttentionFactory::placement(const std::vector<Placement>& offered,
                                      const std::string& model) const {
  DG_ASSERT(!offered.empty(), "attention: {} offers no placement", model);
  if (info_.identity) return offered.front();
  const Placement wanted = placement_.value_or(info_.placements.front());
  if (contains(offered, wanted)) return wanted;
  // Every model's default is the end of a branch; transformers name theirs by the branch.
  const Placement end = offered.front();
  if (!placement_ && wanted == Placement::pre_add && contains(info_.placements, end)) return end;
  std::vector<Placement> fitting = offered;
  std::erase_if(fitting, [&](Placement place) { return !contains(info_.placements, place); });
  fail(ErrorKind::usage, "attention: {} does not offer at={} for '{}' (it offers {}; {})", model,
       name(wanted), info_.name, fmt::join(names_of(offered), ", "),
       fitting.empty() ? fmt::format("'{}' can take none of them", info_.name)
                       : fmt::format("use {}:at={}", info_.name, name(fitting.front())));
}

UnitSpec AttentionFactory::complete(const UnitSpec& unit) const {
  UnitSpec spec = unit;
  spec.options = options_;
  return spec;
}

std::shared_ptr<Attention> AttentionFactory::operator()(const UnitSpec& unit,
                                                        RandomStream& random) const {
  auto made = info_.make(complete(unit), random);
  made->form_ = info_.form;
  made->statistics_ = info_.statistics;
  made->identity_ = info_.identity;
  return made;
}

int64_t AttentionFactory::parameters(const UnitSpec& unit) const {
  return info_.parameters(complete(unit));
}

}  // namespace diagrad::nn
