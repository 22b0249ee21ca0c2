#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagrad {

/// The options of a variant of attention, a model or a data set, declared once where it is
/// registered: its name, its default, what it may be and what it means. Made by the functions
/// below.
struct Option {
  enum class Kind { integer, floating, boolean, choice };

  std::string name;
  Kind kind = Kind::integer;
  std::string default_value;  ///< as a user would type it
  std::string help;           ///< one line
  double low = 0.0;  ///< bounds of integer and floating, both included; integer: up to 2^53
  double high = 0.0;
  std::vector<std::string> choices = {};  ///< what a choice may be

  /// "1 to 4096", "true or false", "sigmoid, tanh, relu".
  std::string allowed() const;
};

Option int_option(std::string name, int64_t default_value, int64_t low, int64_t high,
                  std::string help);
Option float_option(std::string name, double default_value, double low, double high,
                    std::string help);
Option bool_option(std::string name, bool default_value, std::string help);
/// The first choice is the default.
Option choice_option(std::string name, std::vector<std::string> choices, std::string help);

/// A choice with options as a user types it, `name` or `name:option=value,option=value`: the form
/// of `--attention`, `--data shapes:...` and their like.
struct Selection {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options = {};
};

/// Throws Error(usage) when an option has no `=`, an empty name, or comes twice. `what` begins
/// every message, e.g. "data". `separator` stands between options: `+` where the choice is an item
/// of a list with commas.
Selection parse_selection(std::string_view what, std::string_view text, char separator = ',');

/// A value for each declared option.
class OptionValues {
 public:
  OptionValues() = default;
  /// The values of `selection` where it gives some, else the defaults. Throws Error(usage) for an
  /// option that is not declared and a value that is not allowed, with what there is.
  OptionValues(std::string_view what, const Selection& selection,
               const std::vector<Option>& declared);

  /// Each throws Error(internal) for an option that is not declared as such.
  int64_t get_int(std::string_view name) const;
  double get_float(std::string_view name) const;
  bool get_bool(std::string_view name) const;
  const std::string& get_choice(std::string_view name) const;

 private:
  struct Value {
    Option::Kind kind = Option::Kind::integer;
    int64_t integer = 0;
    double floating = 0.0;
    std::string text = {};
  };
  const Value& find(std::string_view name, Option::Kind kind) const;

  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace diagrad
