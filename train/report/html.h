#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace diagrad::train {

/// Text for HTML, inside an element or a quoted attribute. Control characters and bytes that are
/// no UTF-8 become U+FFFD, so that any file name or class name can be shown.
std::string escape_html(std::string_view text);

/// The first `length` characters of a text of UTF-8, with an ellipsis where there were more.
std::string shorten(std::string_view text, size_t length);

/// A whole page that loads nothing and runs nothing, around a body that is HTML already. The title
/// is escaped here.
std::string html_page(std::string_view title, std::string_view body);

/// <section> with a heading; the body is HTML already.
std::string html_section(std::string_view heading, std::string_view body);

/// A box with a large figure and the words to it, which are escaped here.
std::string html_tile(std::string_view figure, std::string_view words);

/// "95.20 %"; a dash for what is not finite.
std::string exact_percent(double share);
/// "0.1505"; a dash for what is not finite.
std::string short_number(double value);

}  // namespace diagrad::train
