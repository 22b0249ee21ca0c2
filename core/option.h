#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagrad {

/// What a variant of attention, a model or a data set can be told, declared once where it is
/// registered: its name, its default, what it may be and what it means. Made by the functions
/// below.
struct Option {
  enum class Kind { whole, number, flag, word };

  std::string name;
  Kind kind = Kind::whole;
  std::string fallback;  ///< the default, as a user would type it
  std::string help;      ///< one line
  double low = 0.0;      ///< bounds of whole and number, both included; whole: up to 2^53
  double high = 0.0;
  std::vector<std::string> words = {};  ///< the choices of word

  /// "1 to 4096", "true or false", "sigmoid, tanh, relu".
  std::string allowed() const;
};

Option whole_option(std::string name, int64_t fallback, int64_t low, int64_t high,
                    std::string help);
Option number_option(std::string name, double fallback, double low, double high, std::string help);
Option flag_option(std::string name, bool fallback, std::string help);
/// The first word is the default.
Option word_option(std::string name, std::vector<std::string> words, std::string help);

/// A choice with options as a user types it, `name` or `name:option=value,option=value`: the form
/// of `--attention`, `--data shapes:...` and their like.
struct Choice {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options = {};
};

/// Throws Error(usage) when an option has no `=`, an empty name, or comes twice. `what` begins
/// every message, e.g. "data".
Choice parse_choice(std::string_view what, std::string_view text);

/// A value for each declared option.
class OptionValues {
 public:
  OptionValues() = default;
  /// The values of `choice` where it gives some, else the defaults. Throws Error(usage) for an
  /// option that is not declared and a value that is not allowed, with what there is.
  OptionValues(std::string_view what, const Choice& choice, const std::vector<Option>& declared);

  /// Each throws Error(internal) for an option that is not declared as such.
  int64_t whole(std::string_view name) const;
  double number(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& word(std::string_view name) const;

 private:
  struct Value {
    Option::Kind kind = Option::Kind::whole;
    int64_t whole = 0;
    double number = 0.0;
    std::string word = {};
  };
  const Value& find(std::string_view name, Option::Kind kind) const;

  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace diagrad
