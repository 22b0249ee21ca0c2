#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"

namespace diagrad {

/// "<what>: '<name>' is unknown, did you mean '...'? (use one of: ...)".
[[noreturn]] void fail_unknown(std::string_view what, std::string_view name,
                               const std::vector<std::string>& known);

/// Refuses an entry that could not be used: "<what>: an entry is registered without a name" or
/// "<what> '<name>' is registered without .make, the function that makes it".
void check_registration(std::string_view what, std::string_view name, bool has_make);

/// All entries of one kind (optimizers, models, tasks, ...), in order of their names. The file that
/// defines an entry adds it, at namespace scope; Info has members `name` and `make`, the function
/// that makes what the entry describes.
template <typename Info>
class Registry {
 public:
  /// `what` begins the messages: "optimizer".
  explicit Registry(std::string what) : what_(std::move(what)) {}

  /// Always true, so that it can initialise a constant. Throws for a name that is empty or taken,
  /// and without a `make`.
  bool add(Info info) {
    check_registration(what_, info.name, info.make != nullptr);
    const auto position = std::lower_bound(
        entries_.begin(), entries_.end(), info,
        [](const Info& a, const Info& b) { return std::string_view(a.name) < b.name; });
    DG_CHECK(position == entries_.end() || position->name != info.name,
             "{} '{}' is registered twice", what_, info.name);
    entries_.insert(position, std::move(info));
    return true;
  }

  const std::vector<Info>& all() const { return entries_; }

  /// Throws Error(usage) with the names there are.
  const Info& find(std::string_view name) const {
    for (const Info& info : entries_) {
      if (info.name == name) return info;
    }
    std::vector<std::string> names;
    for (const Info& info : entries_) names.emplace_back(info.name);
    fail_unknown(what_, name, names);
  }

 private:
  std::string what_;
  std::vector<Info> entries_;
};

}  // namespace diagrad
