#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diagrad {

/// Text for one line of a terminal: line ends, escape sequences and bytes that are no UTF-8 become
/// visible (`\n`, `\x1b`), so that no file name or class name can move the cursor.
std::string printable(std::string_view text);

/// How many columns a text takes: one per UTF-8 character, colours none.
size_t columns(std::string_view text);

/// The order of names with numbers in them: resnet8, resnet20, resnet110.
bool comes_before(std::string_view a, std::string_view b);

/// Words of `text` in lines of at most `width` columns; a longer word stands alone.
std::vector<std::string> wrap(std::string_view text, size_t width);

std::string thousands(int64_t value);  ///< 1,715,382
std::string compact(int64_t value);    ///< 640, 1.15 K, 442 K, 2.36 M, 1.20 G
std::string percent(double share);     ///< 93.4 %; "-" for what is not finite
std::string duration(double seconds);  ///< 0:42, 12:07, 3:05:00
std::string rate(double per_second);   ///< 1234, 56.7, 0.82

/// Rows under a heading, columns as wide as needed, two blanks between; texts to the left, and
/// those whose heading begins with '>' to the right.
std::vector<std::string> table(const std::vector<std::string>& headings,
                               const std::vector<std::vector<std::string>>& rows);

/// The same, without column `spare` where lines would be longer than `width`.
std::vector<std::string> table(std::vector<std::string> headings,
                               std::vector<std::vector<std::string>> rows, size_t width,
                               size_t spare);

}  // namespace diagrad
