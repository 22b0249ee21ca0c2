#include "diagrad/train/cli/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/train/run/file.h"

namespace diagrad::cli {
namespace {

constexpr int64_t kLargest = 1 << 20;
constexpr size_t kShown = 40;  // of a text that a message repeats

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

void append_utf8(std::string& text, uint32_t code) {
  const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | code >> 6);
    add(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3F));
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  }
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  std::vector<Setting> run() {
    for (skip_lines(); !at_end(); skip_lines()) {
      Setting setting = read_setting();
      if (!names_.insert(setting.name).second) {
        refuse("{} is given twice", setting.name.substr(0, kShown));
      }
      settings_.push_back(std::move(setting));
    }
    return std::move(settings_);
  }

 private:
  bool at_end() const { return place_ >= text_.size(); }
  char peek() const { return at_end() ? '\n' : text_[place_]; }
  char take() {
    const char c = text_[place_++];
    if (c == '\n') ++line_;
    return c;
  }

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::usage, "{}:{}: {}", source_, line_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void skip_blanks() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\r')) take();
  }
  /// Blanks, comments and line ends.
  void skip_lines() {
    for (skip_blanks(); !at_end() && (peek() == '\n' || peek() == '#'); skip_blanks()) {
      if (peek() == '#') {
        while (!at_end() && peek() != '\n') take();
      } else {
        take();
      }
    }
  }

  Setting read_setting() {
    Setting setting;
    if (peek() == '[') refuse("keys are flat here, leave out tables such as [train]");
    const bool quoted = peek() == '"' || peek() == '\'';
    if (quoted) setting.name = read_string();
    while (!quoted && is_key_character(peek())) setting.name += take();
    skip_blanks();
    if (setting.name.empty() || peek() != '=') {
      refuse("expected key = value, got '{}'", rest_of_line());
    }
    setting.where = fmt::format("{}:{}: {}", source_, line_, setting.name);
    take();
    skip_blanks();
    setting.is_list = peek() == '[';
    if (setting.is_list) {
      setting.values = read_list();
    } else {
      setting.values = {read_value()};
    }
    skip_blanks();
    if (peek() != '\n' && peek() != '#') refuse("'{}' follows the value", rest_of_line());
    return setting;
  }

  std::vector<std::string> read_list() {
    std::vector<std::string> values;
    const int begin = line_;
    take();
    for (skip_lines(); !at_end() && peek() != ']'; skip_lines()) {
      values.push_back(read_value());
      skip_lines();
      if (peek() == ',') {
        take();
      } else if (!at_end() && peek() != ']') {
        refuse("expected , or ] in the list, got '{}'", rest_of_line());
      }
    }
    if (at_end()) refuse("the list that begins in line {} has no ]", begin);
    take();
    return values;
  }

  std::string read_value() {
    if (peek() == '"' || peek() == '\'') return read_string();
    std::string value;
    while (is_key_character(peek()) || peek() == '.' || peek() == '+') value += take();
    if (value.empty()) refuse("expected a value, got '{}'", rest_of_line());
    const bool number = value.front() == '+' || value.front() == '-' || value.front() == '.' ||
                        (value.front() >= '0' && value.front() <= '9');
    if (!number && value != "true" && value != "false") {
      const std::string shown = value.substr(0, kShown);
      refuse("'{}' is no number; texts stand in quotes: \"{}\"", shown, shown);
    }
    // TOML allows 10_000 and +1.
    value.erase(std::remove(value.begin(), value.end(), '_'), value.end());
    return value.front() == '+' ? value.substr(1) : value;
  }

  std::string read_string() {
    const char quote = take();
    std::string value;
    while (peek() != quote) {
      if (peek() == '\n') refuse("a string has no closing {}", quote);
      const char c = take();
      if (c == '\\' && quote == '"') {
        read_escape(value);
      } else {
        value += c;
      }
    }
    take();
    return value;
  }

  void read_escape(std::string& value) {
    const char c = peek();
    constexpr std::string_view kNames = "btnfr\"\\/";
    constexpr std::string_view kBytes = "\b\t\n\f\r\"\\/";
    if (const size_t simple = kNames.find(c); simple != std::string_view::npos) {
      value += kBytes[simple];
      take();
      return;
    }
    if (c != 'u' && c != 'U') refuse("\\{} is no escape of a string", c);
    take();
    const size_t digits = c == 'u' ? 4 : 8;
    const std::string_view hex = text_.substr(place_, digits);
    uint32_t code = 0;
    const auto [stop, problem] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    const bool whole = problem == std::errc() && stop == hex.data() + digits;
    if (!whole || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      refuse("\\{}{} is no character", c, hex);
    }
    place_ += digits;
    append_utf8(value, code);
  }

  std::string_view rest_of_line() const {
    const std::string_view rest = text_.substr(std::min(place_, text_.size()));
    return rest.substr(0, std::min<size_t>(rest.find('\n'), kShown));
  }

  std::string_view text_;
  std::string_view source_;
  size_t place_ = 0;
  int line_ = 1;
  std::vector<Setting> settings_;
  std::set<std::string> names_;
};

}  // namespace

std::vector<Setting> parse_toml(std::string_view text, std::string_view source) {
  return Parser(text, source).run();
}

std::vector<Setting> read_toml(const std::string& path) {
  std::error_code ignored;
  DG_CHECK(!std::filesystem::is_directory(path, ignored),
           "config: {} is a folder, expected a file such as {}/config.toml", path, path);
  std::string text;
  try {
    text = train::read_file(path, kLargest);
  } catch (const Error& error) {
    fail(ErrorKind::usage, "config: {}", error.what());
  }
  return parse_toml(text, path);
}

}  // namespace diagrad::cli
