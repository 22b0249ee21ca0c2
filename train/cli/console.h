#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace diagrad::cli {

enum class Style { plain, bold, dim, good, bad };

/// Where a command's words go: results for people to stdout; beside --json only the JSON goes
/// there, and words go to stderr; with --quiet there are no words.
class Console {
 public:
  Console(bool quiet, bool json);

  /// A line for people. Callers pass names that files or users chose through printable().
  void line(std::string_view text);
  /// Shows the lines so far, where a command takes long.
  void flush();
  /// One line on stderr, with --quiet, too.
  void note(std::string_view text);
  /// JSON text for programs.
  void json(std::string_view text);

  /// Replaces the line that stays at the bottom of a terminal; empty text removes it.
  void status(std::string_view text);

  bool quiet() const { return quiet_; }
  /// Whether words go to a terminal that can redraw a line.
  bool live() const { return live_; }
  /// Of the terminal, now; 80 where it does not say.
  size_t width() const;
  /// Colours on a terminal; the bare text in a pipe or with NO_COLOR.
  std::string styled(Style style, std::string_view text) const;

 private:
  std::FILE* words_;
  bool quiet_;
  bool live_;
  bool colored_;
  bool has_status_ = false;
};

}  // namespace diagrad::cli
