#include "diagrad/core/error.h"

#include <string_view>

namespace diagrad {
namespace {

std::string one_line(std::string_view message) {
  constexpr size_t kLongest = 8192;
  std::string line;
  for (const char c : message.substr(0, kLongest)) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7F) {
      line += c;
    } else {
      line += c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\x{:02x}", code);
    }
  }
  return message.size() > kLongest ? line + "..." : line;
}

}  // namespace

Error::Error(ErrorKind kind, const std::string& message)
    : std::runtime_error(one_line(message)), kind_(kind) {}

}  // namespace diagrad

namespace diagrad::detail {

void assertion_failed(const char* condition, const char* file, int line,
                      const std::string& details) {
  std::string_view path(file);
  if (const auto slash = path.rfind('/'); slash != std::string_view::npos) {
    path.remove_prefix(slash + 1);
  }
  fail(ErrorKind::internal, "{} ({}:{}, {} does not hold; this is a bug in diagrad)", details, path,
       line, condition);
}

}  // namespace diagrad::detail
