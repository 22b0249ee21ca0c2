#include "diagrad/core/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

namespace diagrad {
namespace {

TEST_CASE("text for a terminal has no line ends, escapes or broken characters") {
  CHECK(printable("plain, \xC3\xA9t\xC3\xA9") == "plain, \xC3\xA9t\xC3\xA9");
  CHECK(printable("two\nlines\tand") == "two\\nlines\\tand");
  CHECK(printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07");
  CHECK(printable("\xff\xC3") == "\\xff\\xc3");
  CHECK(printable("\xC2\x9b") == "\\xc2\\x9b");  // a C1 control, as good as an escape
  // Overlong forms, a surrogate and a code beyond the last one.
  CHECK(printable("\xE0\x80\x80") == "\\xe0\\x80\\x80");
  CHECK(printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\xF0\x80\x80\x80") == "\\xf0\\x80\\x80\\x80");
  CHECK(printable("\xF4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(printable("\xF0\x9F\x98\x80\xED\x9F\xBF") == "\xF0\x9F\x98\x80\xED\x9F\xBF");
}

TEST_CASE("a word for a shell is bare, quoted, or quoted with escapes") {
  CHECK(shell_word("runs/a-b_1.2") == "runs/a-b_1.2");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("it's $(x)") == "'it'\\''s $(x)'");
  CHECK(shell_word("\xC3\xA9") == "'\xC3\xA9'");
  CHECK(shell_word("=ls") == "'=ls'");
  CHECK(shell_word("a=b") == "a=b");
  CHECK(shell_word("new\nline's \\") == "$'new\\nline\\047s \\134'");
  CHECK(shell_word("\xff\x1b\x7f"
                   "1") == "$'\\377\\033\\1771'");
  CHECK(shell_path("-x") == "./-x");
  CHECK(shell_path("x-") == "x-");
  CHECK(shell_path("- x") == "'./- x'");
}

TEST_CASE("any bytes become UTF-8 and come back") {
  CHECK(bytes_to_utf8("plain \xC3\xA9") == "plain \xC3\xA9");
  CHECK(bytes_to_utf8("\x80\xff") == "\xF4\x8F\xBA\x80\xF4\x8F\xBB\xBF");
  CHECK(utf8_to_bytes("\xF4\x8F\xBA\x80\xF4\x8F\xBB\xBF") == "\x80\xff");
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      all += static_cast<char>(first);
      all += static_cast<char>(second);
    }
  }
  // Characters that stand for bytes, too.
  for (const std::string& bytes : {all, "\xC3" + all, bytes_to_utf8(all)}) {
    const std::string text = bytes_to_utf8(bytes);
    CHECK(utf8_to_bytes(text) == bytes);
    // printable() leaves UTF-8 as it is, the characters that stand for bytes included.
    std::string shown = printable(text);
    CHECK(shown.find("\\x8") == std::string::npos);
    CHECK(shown.find("\\xf") == std::string::npos);
  }
}

TEST_CASE("a line is the same from any editor") {
  CHECK(plain_line("a b") == "a b");
  CHECK(plain_line("a b\r") == "a b");
  CHECK(plain_line("\xEF\xBB\xBF"
                   "a\r") == "a");
  CHECK(plain_line("\r").empty());
  CHECK(plain_line("").empty());
}

TEST_CASE("columns are counted by characters, without colours") {
  CHECK(columns("\x1b[1mab\x1b[0m") == 2);
  CHECK(columns("\xC3\xA9t\xC3\xA9") == 3);
}

TEST_CASE("names are ordered by the numbers in them") {
  std::vector<std::string> names = {"resnet110", "vit",  "resnet20", "resnet", "resnet8",
                                    "a2b10",     "a2b9", "a10",      "a2-x"};
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return comes_before(a, b); });
  CHECK(names == std::vector<std::string>{"a2-x", "a2b9", "a2b10", "a10", "resnet", "resnet8",
                                          "resnet20", "resnet110", "vit"});
  CHECK_FALSE(comes_before("same7", "same7"));
}

TEST_CASE("words are wrapped at the width") {
  CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrap("incomprehensible it", 5) == std::vector<std::string>{"incomprehensible", "it"});
  CHECK(wrap("", 5).empty());
}

TEST_CASE("numbers are written as people read them") {
  CHECK(thousands(0) == "0");
  CHECK(thousands(999) == "999");
  CHECK(thousands(1715382) == "1,715,382");
  CHECK(thousands(-1000) == "-1,000");
  CHECK(compact(640) == "640");
  CHECK(compact(1152) == "1.15 K");
  CHECK(compact(442368) == "442 K");
  CHECK(compact(2359296) == "2.36 M");
  CHECK(compact(999'999) == "1.00 M");
  CHECK(percent(0.93456) == "93.5 %");
  CHECK(percent(std::numeric_limits<double>::quiet_NaN()) == "-");
  CHECK(duration(42.4) == "0:42");
  CHECK(duration(727) == "12:07");
  CHECK(duration(11100) == "3:05:00");
  CHECK(duration(std::numeric_limits<double>::infinity()) == "-:--");
  CHECK(rate(1234.4) == "1234");
  CHECK(rate(56.72) == "56.7");
  CHECK(rate(0.821) == "0.82");
}

TEST_CASE("a text is cut between characters") {
  CHECK(first_columns("caf\xC3\xA9s", 4) == "caf\xC3\xA9");
  CHECK(first_columns("\xC3\xA9t\xC3\xA9", 2) == "\xC3\xA9t");
  CHECK(first_columns("\xE2\x82\xAC", 0).empty());
  CHECK(first_columns("ab", 2) == "ab");
  CHECK(first_columns("ab", 5) == "ab");
}

TEST_CASE("a table aligns its columns") {
  const std::vector<std::string> lines = table({"name", ">count"}, {{"a", "7"}, {"longer", "123"}});
  CHECK(lines == std::vector<std::string>{"name    count", "a           7", "longer    123"});
}

TEST_CASE("a table that is too wide leaves its spare column out") {
  const std::vector<std::string> heading = {"name", "note", ">count"};
  const std::vector<std::vector<std::string>> rows = {{"a", "spare", "7"}};
  CHECK(table(heading, rows, 18, 1) == table(heading, rows));
  CHECK(table(heading, rows, 17, 1) == table({"name", ">count"}, {{"a", "7"}}));
}

}  // namespace
}  // namespace diagrad
