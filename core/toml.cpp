#include "diagrad/core/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace {

constexpr void require(bool holds) {
  if (!holds) throw std::logic_error("a broken assertion of toml++");
}

}  // namespace

// The parser asserts that a table header has a key, which "[[[" has not. With NDEBUG that is
// undefined behaviour and TOML_ASSERT is ignored, without it the program ends; here it is an
// exception.
#undef NDEBUG
#define TOML_ASSERT(expr) require(static_cast<bool>(expr))
#include <toml++/toml.h>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/text.h"

namespace diagrad {
namespace {

constexpr int64_t kLargest = 1 << 20;
constexpr size_t kShown = 120;  // of a text that a message repeats

/// Texts of files and of the parser may be long and hold anything.
std::string shown(std::string_view text) {
  const std::string line = printable(text);
  return line.size() > kShown ? line.substr(0, kShown) + "..." : line;
}

template <typename... Args>
[[noreturn]] void refuse(std::string_view source, const toml::source_region& region,
                         fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorKind::usage, "{}:{}: {}", source, region.begin.line,
       fmt::format(format, std::forward<Args>(args)...));
}

/// A value as a user would type it after the flag.
std::string text_of(const toml::node& node, std::string_view name, std::string_view source) {
  if (const auto* value = node.as_string()) return utf8_to_bytes(value->get());
  if (const auto* value = node.as_integer()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  refuse(source, node.source(), "{}: expected a text, a number, true or false, or a list of them",
         shown(name));
}

Setting setting_of(const toml::key& key, const toml::node& node, std::string_view source) {
  Setting setting;
  setting.name = std::string(key.str());
  if (node.is_table()) {
    refuse(source, node.source(), "keys are flat here, leave out tables such as [{}]",
           shown(setting.name));
  }
  setting.where = fmt::format("{}:{}: {}", source, key.source().begin.line, shown(setting.name));
  if (const auto* list = node.as_array()) {
    setting.is_list = true;
    for (const toml::node& item : *list) {
      setting.values.push_back(text_of(item, setting.name, source));
    }
  } else {
    setting.values = {text_of(node, setting.name, source)};
  }
  return setting;
}

/// The first line that begins with a bracket, counted from 1. Headers of tables do, and inside a
/// list only lists of lists, which are refused too.
size_t line_of_header(std::string_view text) {
  size_t line = 1;
  while (!text.empty()) {
    const size_t first = text.find_first_not_of(" \t");
    if (first != std::string_view::npos && text[first] == '[') return line;
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    ++line;
  }
  return 1;
}

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

/// Where a text in quotes that begins at `begin` ends. `stray` becomes the place of a letter beyond
/// ASCII that follows a backslash at the end of a line.
size_t end_of_quotes(std::string_view text, size_t begin, size_t& stray) {
  const char quote = text[begin];
  const std::string three(3, quote);
  const bool is_long = text.substr(begin, 3) == three;
  size_t at = begin + (is_long ? 3 : 1);
  while (at < text.size()) {
    if (quote == '"' && text[at] == '\\') {
      at += 2;
      const size_t next = std::min(text.find_first_not_of(" \t\r\n", at - 1), text.size());
      if (is_long && next > at - 1 && next < text.size() && !is_ascii(text[next])) stray = next;
    } else if (is_long ? text.substr(at, 3) == three : text[at] == quote) {
      return at + (is_long ? 3 : 1);
    } else if (!is_long && text[at] == '\n') {
      return at;
    } else {
      ++at;
    }
  }
  return text.size();
}

/// The place of the first letter beyond ASCII outside of quotes and comments, where none belongs;
/// npos if there is none. What toml++ 3.3 does with one is undefined: it takes some of its own
/// branches for unreachable.
size_t stray_letter(std::string_view text) {
  size_t stray = std::string_view::npos;
  size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < text.size() && stray == std::string_view::npos) {
    if (text[at] == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (text[at] == '"' || text[at] == '\'') {
      at = end_of_quotes(text, at, stray);
    } else {
      if (!is_ascii(text[at])) return at;
      ++at;
    }
  }
  return stray;
}

void refuse_stray_letter(std::string_view text, std::string_view source) {
  const size_t at = stray_letter(text);
  if (at == std::string_view::npos) return;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n');
  fail(ErrorKind::usage, "{}:{}: a letter beyond ASCII outside of quotes; put the text in quotes",
       source, line);
}

}  // namespace

std::vector<Setting> parse_toml(std::string_view text, std::string_view source) {
  refuse_stray_letter(text, source);
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    refuse(source, error.source(), "{}", shown(error.description()));
  } catch (const std::logic_error&) {
    fail(ErrorKind::usage, "{}:{}: keys are flat here, leave out tables", source,
         line_of_header(text));
  }
  std::vector<std::pair<toml::source_position, Setting>> found;
  for (const auto& [key, node] : table) {
    found.emplace_back(key.source().begin, setting_of(key, node, source));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Setting> settings;
  for (auto& entry : found) settings.push_back(std::move(entry.second));
  return settings;
}

std::vector<Setting> read_toml(const std::string& path) {
  std::error_code ignored;
  DG_CHECK(!std::filesystem::is_directory(path, ignored),
           "config: {} is a folder, expected a file such as {}/config.toml", path, path);
  std::string text;
  try {
    text = read_file(path, kLargest);
  } catch (const Error& error) {
    fail(ErrorKind::usage, "config: {}", error.what());
  }
  return parse_toml(text, path);
}

std::string toml_library_version() {
  return fmt::format("{}.{}.{}", TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH);
}

}  // namespace diagrad
