#include "diagrad/train/cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "diagrad/core/standard_streams.h"
#include "diagrad/core/text.h"

namespace diagrad::cli {
namespace {

bool is_terminal(std::FILE* file) {
  const char* kind = std::getenv("TERM");
  return isatty(fileno(file)) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

bool wants_color() {
  const char* refused = std::getenv("NO_COLOR");
  return refused == nullptr || *refused == '\0';
}

}  // namespace

Console::Console(bool quiet, bool json)
    : words_(json ? stderr : stdout),
      quiet_(quiet),
      live_(!quiet && is_terminal(words_)),
      colored_(live_ && wants_color()) {}

void Console::line(std::string_view text) {
  if (quiet_) return;
  if (has_status_) write_stream(words_, "\r\x1b[K");
  has_status_ = false;
  write_stream(words_, text);
  write_stream(words_, "\n");
}

void Console::flush() {
  flush_stream(words_);
}

void Console::note(std::string_view text) {
  status("");
  flush_stream(stdout);
  write_stream(stderr, fmt::format("diagrad: note: {}\n", printable(text)));
}

void Console::json(std::string_view text) {
  write_stream(stdout, text);
  write_stream(stdout, "\n");
}

void Console::status(std::string_view text) {
  if (!live_ || (text.empty() && !has_status_)) return;
  write_stream(words_, "\r");
  write_stream(words_, text);
  write_stream(words_, "\x1b[K");
  flush_stream(words_);
  has_status_ = !text.empty();
}

size_t Console::width() const {
  winsize size = {};
  if (ioctl(fileno(words_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string Console::styled(Style style, std::string_view text) const {
  if (!colored_ || style == Style::plain) return std::string(text);
  const int code = style == Style::bold   ? 1
                   : style == Style::dim  ? 2
                   : style == Style::good ? 32
                                          : 31;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

}  // namespace diagrad::cli
