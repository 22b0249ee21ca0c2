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

/// One word of a command for a POSIX shell, on one line and printable: bare where that is safe,
/// else 'quoted', or $'quoted' (POSIX 2024, bash, zsh, ksh) where a line end, a control character
/// or a byte that is no UTF-8 is in it.
std::string shell_word(std::string_view text);
/// The same of a file or folder, as `./-name` where a command would take it for an option.
std::string shell_path(const std::string& path);

/// Any bytes, such as a file name's, as UTF-8, and back. A byte b that is not part of a character
/// becomes U+10FE00 + b, of a private use area, in place of U+FFFD, which is the same for all.
std::string bytes_to_utf8(std::string_view bytes);
std::string utf8_to_bytes(std::string_view text);

/// A line of a text file as it was meant, whatever editor saved it: without the carriage return at
/// its end and the byte order mark at the beginning of the file.
std::string_view plain_line(std::string_view line);

/// How many columns a text takes: one per UTF-8 character, colours none.
size_t columns(std::string_view text);

/// The beginning of a text that takes at most `width` columns, whole characters; it has no colours.
std::string_view first_columns(std::string_view text, size_t width);

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
