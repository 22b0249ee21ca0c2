#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace diagrad {

/// What a run, a model, an optimizer or any other registered part can be told, declared once: its
/// name, its default, what it may be and what it means. Made by the functions below.
struct Option {
  enum class Kind { integer, floating, boolean, choice, text };

  std::string name;
  Kind kind = Kind::text;
  std::string default_value;  ///< as a user would type it
  std::string help;           ///< one line
  double low = 0.0;           ///< bounds of integer and floating; integer: up to 2^53, or 2^63 - 1
  double high = 0.0;
  bool below_high = false;                ///< `high` itself is not allowed
  bool is_list = false;                   ///< any number of values, none included
  std::vector<std::string> choices = {};  ///< what a choice may be

  /// "1 to 4096", "0 to below 1", "true or false", "sigmoid, tanh, relu".
  std::string allowed() const;
};

Option int_option(std::string name, int64_t default_value, int64_t low, int64_t high,
                  std::string help);
Option float_option(std::string name, double default_value, double low, double high,
                    std::string help);
Option bool_option(std::string name, bool default_value, std::string help);
/// The first choice is the default.
Option choice_option(std::string name, std::vector<std::string> choices, std::string help);
Option text_option(std::string name, std::string default_value, std::string help);
/// Integers; inside `name:option=value` they are joined by +, as in `milestones=60+120`.
Option int_list_option(std::string name, const std::vector<int64_t>& default_value, int64_t low,
                       int64_t high, std::string help);

/// Read a text. Throw Error(usage), beginning with `where`: "--epochs: 'x' is not an integer".
int64_t parse_int(std::string_view where, std::string_view text);
double parse_float(std::string_view where, std::string_view text);
bool parse_bool(std::string_view where, std::string_view text);

/// One value of an option, by its kind.
using OptionValue = std::variant<int64_t, double, bool, std::string>;

/// The same for any kind.
OptionValue parse_value(std::string_view where, const Option& option, std::string_view text);
/// Throws Error(usage), beginning with `where`, for a value that is out of range or no choice.
void check_value(std::string_view where, const Option& option, const OptionValue& value);

/// A name with options as a user types it, `name` or `name:option=value,option=value`: the form of
/// `--attention`, `--data shapes:...`, `--optimizer` and their like.
struct Selection {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options = {};
};

/// Throws Error(usage) when an option has no `=`, an empty name, or comes twice. `what` begins
/// every message, e.g. "data". Options are joined by `separator`: a comma, or + where the selection
/// is an item of a comma list.
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
  const std::string& get_text(std::string_view name) const;
  std::vector<int64_t> get_ints(std::string_view name) const;

  bool operator==(const OptionValues&) const = default;

 private:
  struct Values {
    Option::Kind kind = Option::Kind::text;
    bool is_list = false;
    std::vector<OptionValue> values = {};

    bool operator==(const Values&) const = default;
  };
  const Values& find(std::string_view name, Option::Kind kind, bool is_list) const;

  std::map<std::string, Values, std::less<>> values_;
};

}  // namespace diagrad
