#include "diagrad/train/run/option_effect.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "diagrad/core/error.h"
#include "diagrad/data/augmentation.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {
namespace {

/// Whether two runs have the same of something.
using IsSame = std::function<bool(const Options&, const Options&)>;

bool is_same_selection(const Selection& a, const Selection& b,
                       const std::vector<Option>& declared) {
  return a.name == b.name && OptionValues("", a, declared) == OptionValues("", b, declared);
}

/// A choice from a registry.
template <typename Find>
IsSame choice(const char* what, std::string Options::*member, Find find) {
  return [=](const Options& a, const Options& b) {
    return is_same_selection(parse_selection(what, a.*member), parse_selection(what, b.*member),
                             find(a.*member).options);
  };
}

bool is_same_model_option(const Options& a, const Options& b) {
  return is_same_selection({a.model, model_options(a)}, {b.model, model_options(b)},
                           models::find(a.model).options);
}

bool has_placement(const Selection& selection) {
  return std::any_of(selection.options.begin(), selection.options.end(),
                     [](const auto& option) { return option.first == "at"; });
}

/// A placement that is not given is the model's choice.
bool is_same_attention(const Options& a, const Options& b) {
  const Selection left = parse_selection("attention", a.attention);
  const Selection right = parse_selection("attention", b.attention);
  const nn::AttentionFactory factory(a.attention);
  return has_placement(left) == has_placement(right) &&
         is_same_selection(left, right, factory.info().options);
}

/// What is not given may be the model's choice where the attention carries state.
bool is_same_sharing(const Options& a, const Options& b) {
  const nn::AttentionFactory left(a.attention, a.sharing);
  const nn::AttentionFactory right(b.attention, b.sharing);
  if (left.info().identity && right.info().identity) return true;
  return !left.info().carries_state && left.sharing() == right.sharing();
}

bool is_same_augmentation(const Options& a, const Options& b) {
  const auto items = [](const Options& options) {
    return options.augment == std::vector<std::string>{"none"} ? std::vector<std::string>()
                                                               : options.augment;
  };
  const auto is_same = [](const std::string& left, const std::string& right) {
    const Selection one = parse_selection("augment", left, '+');
    const Selection other = parse_selection("augment", right, '+');
    for (const data::AugmentationInfo& info : data::augmentations()) {
      if (info.name == one.name) return is_same_selection(one, other, info.options);
    }
    return false;
  };
  const std::vector<std::string> left = items(a);
  const std::vector<std::string> right = items(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), is_same);
}

bool is_same_warmup(const Options& a, const Options& b) {
  const Warmup left = parse_warmup(a.warmup);
  const Warmup right = parse_warmup(b.warmup);
  return left.epochs == right.epochs && left.steps == right.steps;
}

/// Lists of patterns, in any order; `none` alone is the empty one.
IsSame patterns(std::vector<std::string> Options::*member) {
  const auto entries = [=](const Options& options) {
    const std::set<std::string> all((options.*member).begin(), (options.*member).end());
    return all == std::set<std::string>{"none"} ? std::set<std::string>() : all;
  };
  return [=](const Options& a, const Options& b) { return entries(a) == entries(b); };
}

/// The options that have several spellings of one meaning.
const std::map<std::string, IsSame>& spellings() {
  static const std::map<std::string, IsSame> all = {
      {"task", choice("task", &Options::task, find_task)},
      {"optimizer", choice("optimizer", &Options::optimizer, find_optimizer)},
      {"schedule", choice("schedule", &Options::schedule, find_schedule)},
      {"attention", is_same_attention},
      {"sharing", is_same_sharing},
      {"model-opt", is_same_model_option},
      {"augment", is_same_augmentation},
      {"warmup", is_same_warmup},
      {"no-decay", patterns(&Options::no_decay)},
      {"freeze", patterns(&Options::freeze)}};
  return all;
}

bool has_effect(const std::string& name, const Options& there, const Options& here) {
  const auto found = spellings().find(name);
  if (found == spellings().end()) return true;
  try {
    return !found->second(there, here);
  } catch (const Error&) {
    return true;  // what the file says is no choice here
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> model_options(const Options& options) {
  constexpr size_t kMost = 100;
  DG_CHECK(options.model_opt.size() <= kMost, "model-opt: {} entries are more than the {} allowed",
           options.model_opt.size(), kMost);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& entry : options.model_opt) {
    const auto equals = entry.find('=');
    DG_CHECK(equals != std::string::npos && equals > 0,
             "model-opt: '{}' is not key=value, e.g. width=32", entry);
    const std::string key = entry.substr(0, equals);
    for (const auto& pair : pairs) {
      DG_CHECK(pair.first != key, "model-opt: {} is given twice", key);
    }
    pairs.emplace_back(key, entry.substr(equals + 1));
  }
  return pairs;
}

std::vector<OptionDifference> effective_differences(const Options& there, const Options& here) {
  std::vector<OptionDifference> all = differences(there, here);
  std::erase_if(all, [&](const OptionDifference& difference) {
    return !has_effect(difference.name, there, here);
  });
  return all;
}

}  // namespace diagrad::train
