#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagrad {

/// A choice with options as a user types it: `name` or `name:option=value,option=value`, the form
/// of `--attention`, `--data shapes:...` and their like. Readers take the options they know with
/// the functions below and call `finish` at the end, which rejects what nobody took.
class Spec {
 public:
  /// Throws when an option has no `=`, an empty name, or comes twice. `what` begins every message,
  /// e.g. "data".
  Spec(std::string_view what, std::string_view text);

  const std::string& name() const { return name_; }
  const std::vector<std::pair<std::string, std::string>>& options() const { return options_; }

  /// The value of an option, or `fallback` where it is not given. The numeric forms throw for text
  /// that is not a number or lies outside [low, high].
  std::string text(std::string_view option, std::string_view fallback);
  int64_t whole(std::string_view option, int64_t fallback, int64_t low, int64_t high);
  double number(std::string_view option, double fallback, double low, double high);
  bool flag(std::string_view option, bool fallback);

  /// Throws for an option that was never asked for, and lists those that were.
  void finish() const;

 private:
  const std::string* take(std::string_view option);

  std::string what_;
  std::string name_;
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> known_;
};

}  // namespace diagrad
