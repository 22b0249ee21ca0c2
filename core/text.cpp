#include "diagrad/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace diagrad {
namespace {

unsigned byte_at(std::string_view text, size_t place) {
  return static_cast<unsigned char>(text[place]);
}

bool continues(std::string_view text, size_t place) {
  return place < text.size() && (byte_at(text, place) & 0xC0U) == 0x80U;
}

/// Whether the second byte of a character may follow the first: no overlong form, no surrogate,
/// nothing beyond U+10FFFF, no C1 control.
bool may_follow(unsigned first, unsigned second) {
  switch (first) {
    case 0xC2:
    case 0xE0:
      return second >= 0xA0;
    case 0xED:
      return second < 0xA0;
    case 0xF0:
      return second >= 0x90;
    case 0xF4:
      return second < 0x90;
    default:
      return true;
  }
}

/// Bytes of the character of UTF-8 that begins at `place`; 0 for none, and for C1 controls.
size_t character_size(std::string_view text, size_t place) {
  const unsigned first = byte_at(text, place);
  size_t size = 0;
  if (first >= 0xC2 && first <= 0xDF) size = 2;
  if (first >= 0xE0 && first <= 0xEF) size = 3;
  if (first >= 0xF0 && first <= 0xF4) size = 4;
  for (size_t i = 1; i < size; ++i) {
    if (!continues(text, place + i)) return 0;
  }
  return size > 0 && may_follow(first, byte_at(text, place + 1)) ? size : 0;
}

/// Whether a character of UTF-8 is U+10FE80 to U+10FEFF, which stand for bytes.
bool stands_for_byte(std::string_view character) {
  return character.size() == 4 && character.substr(0, 2) == "\xF4\x8F" &&
         (byte_at(character, 2) & 0xFEU) == 0xBAU;
}

/// Calls `on_byte` for bytes that are part of no character of UTF-8, `on_character` for the others.
template <typename OnByte, typename OnCharacter>
void for_each_character(std::string_view text, OnByte on_byte, OnCharacter on_character) {
  for (size_t place = 0; place < text.size();) {
    const size_t size = byte_at(text, place) < 0x80 ? 1 : character_size(text, place);
    if (size == 0) {
      on_byte(byte_at(text, place++));
    } else {
      on_character(text.substr(place, size));
      place += size;
    }
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (size_t place = 0; place < text.size();) {
    const unsigned byte = byte_at(text, place);
    if (byte >= 0x20 && byte < 0x7F) {
      result += text[place++];
    } else if (const size_t size = byte < 0x80 ? 0 : character_size(text, place); size > 0) {
      result += text.substr(place, size);
      place += size;
    } else {
      result += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : fmt::format("\\x{:02x}", byte);
      ++place;
    }
  }
  return result;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+-@%";
  const bool is_plain = !text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos;
  if (is_plain && text.front() != '=') return std::string(text);  // zsh expands =name
  const bool one_line = printable(text) == text;
  std::string quoted = one_line ? "'" : "$'";
  const auto escaped = [&](unsigned byte) { quoted += fmt::format("\\{:03o}", byte); };
  for_each_character(text, escaped, [&](std::string_view character) {
    const unsigned first = byte_at(character, 0);
    if (one_line) {
      quoted += first == '\'' ? "'\\''" : character;
    } else if (first == '\n') {
      quoted += "\\n";
    } else if (first < 0x20 || first == 0x7F || first == '\'' || first == '\\') {
      escaped(first);
    } else {
      quoted += character;
    }
  });
  return quoted + "'";
}

std::string shell_path(const std::string& path) {
  return shell_word(path.rfind('-', 0) == 0 ? "./" + path : path);
}

std::string bytes_to_utf8(std::string_view bytes) {
  std::string text;
  const auto add_byte = [&](unsigned byte) {
    text += {'\xF4', '\x8F', static_cast<char>(byte < 0xC0 ? 0xBA : 0xBB),
             static_cast<char>(0x80U | (byte & 0x3FU))};
  };
  for_each_character(bytes, add_byte, [&](std::string_view character) {
    if (stands_for_byte(character)) {
      // Escaped byte by byte, so that the way back gives it again.
      for (size_t place = 0; place < character.size(); ++place) add_byte(byte_at(character, place));
    } else {
      text += character;
    }
  });
  return text;
}

std::string utf8_to_bytes(std::string_view text) {
  std::string bytes;
  const auto add_byte = [&](unsigned byte) { bytes += static_cast<char>(byte); };
  for_each_character(text, add_byte, [&](std::string_view character) {
    if (stands_for_byte(character)) {
      add_byte((byte_at(character, 2) == 0xBA ? 0x80U : 0xC0U) | (byte_at(character, 3) & 0x3FU));
    } else {
      bytes += character;
    }
  });
  return bytes;
}

std::string_view plain_line(std::string_view line) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (line.substr(0, kMark.size()) == kMark) line.remove_prefix(kMark.size());
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

size_t columns(std::string_view text) {
  size_t count = 0;
  for (size_t place = 0; place < text.size(); ++place) {
    if (text[place] == '\x1b') {
      while (place < text.size() && text[place] != 'm') ++place;
    } else if (!continues(text, place)) {
      ++count;
    }
  }
  return count;
}

std::string_view first_columns(std::string_view text, size_t width) {
  size_t end = 0;
  for (size_t taken = 0; end < text.size(); ++end) {
    if (!continues(text, end) && taken++ == width) break;
  }
  return text.substr(0, end);
}

bool comes_before(std::string_view a, std::string_view b) {
  const auto number_at = [](std::string_view text, size_t place) {
    const size_t end = text.find_first_not_of("0123456789", place);
    return text.substr(place, end == std::string_view::npos ? end : end - place);
  };
  size_t place = 0;  // up to here both are the same
  while (place < a.size() && place < b.size()) {
    const std::string_view left = number_at(a, place);
    const std::string_view right = number_at(b, place);
    // Names have no leading zeros, so the longer number is the larger one.
    if (left.size() != right.size() && !left.empty() && !right.empty()) {
      return left.size() < right.size();
    }
    if (a[place] != b[place]) return a[place] < b[place];
    ++place;
  }
  return a.size() < b.size();
}

std::vector<std::string> wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    text = blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string thousands(int64_t value) {
  std::string text = fmt::format("{}", value);
  const size_t first = value < 0 ? 1 : 0;
  for (size_t place = text.size(); place > first + 3;) {
    place -= 3;
    text.insert(place, 1, ',');
  }
  return text;
}

std::string compact(int64_t value) {
  if (value < 1000) return fmt::format("{}", value);
  auto scaled = static_cast<double>(value);
  const char* unit = "";
  for (const char* next : {"K", "M", "G", "T"}) {
    if (scaled < 999.5) break;
    scaled /= 1000.0;
    unit = next;
  }
  const int digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", scaled, digits, unit);
}

std::string percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.1f} %", 100.0 * share) : "-";
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0.0 || seconds > 1e9) return "-:--";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const int64_t hours = whole / 3600;
  if (hours == 0) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60);
}

std::string rate(double per_second) {
  if (!std::isfinite(per_second)) return "-";
  const int digits = per_second >= 99.95 ? 0 : per_second >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}", per_second, digits);
}

std::vector<std::string> table(const std::vector<std::string>& headings,
                               const std::vector<std::vector<std::string>>& rows) {
  std::vector<bool> right;
  std::vector<std::string> head;
  std::vector<size_t> widths;
  for (const std::string& heading : headings) {
    right.push_back(!heading.empty() && heading.front() == '>');
    head.push_back(right.back() ? heading.substr(1) : heading);
    widths.push_back(columns(head.back()));
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::vector<std::string> lines;
  const auto add = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string blanks(widths[i] - columns(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += right[i] ? blanks + cells[i] : cells[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  };
  add(head);
  for (const auto& row : rows) add(row);
  return lines;
}

std::vector<std::string> table(std::vector<std::string> headings,
                               std::vector<std::vector<std::string>> rows, size_t width,
                               size_t spare) {
  std::vector<std::string> lines = table(headings, rows);
  const auto too_long = [&](const std::string& line) { return columns(line) > width; };
  if (std::none_of(lines.begin(), lines.end(), too_long)) return lines;
  const auto drop = [&](std::vector<std::string>& cells) {
    cells.erase(cells.begin() + static_cast<std::ptrdiff_t>(spare));
  };
  drop(headings);
  for (auto& row : rows) drop(row);
  return table(headings, rows);
}

}  // namespace diagrad
