#include "diagrad/train/report/html.h"

#include <fmt/format.h>

#include <cmath>

#include "diagrad/train/report/style.h"

namespace diagrad::train {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
constexpr const char* kDash = "\xE2\x80\x93";

unsigned byte_at(std::string_view text, size_t place) {
  return place < text.size() ? static_cast<unsigned char>(text[place]) : 0;
}

/// Bytes of the character that begins at `place`; 0 where they are no valid UTF-8.
size_t character_size(std::string_view text, size_t place) {
  const unsigned first = byte_at(text, place);
  const unsigned second = byte_at(text, place + 1);
  if (first < 0x80) return 1;
  size_t size = 0;
  if (first >= 0xC2 && first <= 0xDF) size = 2;
  if (first >= 0xE0 && first <= 0xEF) size = 3;
  if (first >= 0xF0 && first <= 0xF4) size = 4;
  for (size_t i = 1; i < size; ++i) {
    if ((byte_at(text, place + i) & 0xC0U) != 0x80U) return 0;
  }
  const bool control = first == 0xC2 && second < 0xA0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  return control || overlong || outside ? 0 : size;
}

std::string_view escaped(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

bool is_control(char c) {
  const auto code = static_cast<unsigned char>(c);
  return (code < 0x20 && c != '\n' && c != '\t') || code == 0x7F;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result;
  for (size_t place = 0; place < text.size();) {
    const size_t size = character_size(text, place);
    const std::string_view special = size == 1 ? escaped(text[place]) : std::string_view();
    if (!special.empty()) {
      result += special;
    } else if (size == 0 || (size == 1 && is_control(text[place]))) {
      result += kReplacement;
    } else {
      result += text.substr(place, size);
    }
    place += size == 0 ? 1 : size;
  }
  return result;
}

std::string shorten(std::string_view text, size_t length) {
  size_t characters = 0;
  for (size_t place = 0; place < text.size(); ++place) {
    if ((byte_at(text, place) & 0xC0U) == 0x80U) continue;
    if (++characters > length) return std::string(text.substr(0, place)) + std::string(kEllipsis);
  }
  return std::string(text);
}

std::string html_page(std::string_view title, std::string_view body) {
  // The policy keeps the page from loading or running anything, whatever stands in a name.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "img-src data:; style-src 'unsafe-inline'\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</"
      "html>\n",
      escape_html(title), kReportStyle, body);
}

std::string html_section(std::string_view heading, std::string_view body) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escape_html(heading), body);
}

std::string html_tile(std::string_view figure, std::string_view words) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", escape_html(figure),
                     escape_html(words));
}

std::string exact_percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.2f} %", 100.0 * share) : kDash;
}

std::string short_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : kDash;
}

}  // namespace diagrad::train
