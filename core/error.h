#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace diagrad {

/// What went wrong, from the user's side. The command line maps each kind to its exit code.
enum class ErrorKind { internal, usage, data, diverged, checkpoint, device };

/// The only exception type the library throws on purpose. `what()` is one line: what came, what
/// was expected (with the numbers), what to try. Control characters, which names out of files may
/// hold, become escapes such as \n and \x1b; a message beyond 8 KiB is cut.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message);
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws `Error(kind, formatted text)`.
template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line,
                                   const std::string& details);
}  // namespace detail

}  // namespace diagrad

/// A user's mistake: throws Error(usage) with the formatted values. Text is built only on failure.
#define DG_CHECK(condition, ...)                                 \
  do {                                                           \
    if (!(condition)) [[unlikely]] {                             \
      ::diagrad::fail(::diagrad::ErrorKind::usage, __VA_ARGS__); \
    }                                                            \
  } while (false)

/// An invariant of diagrad itself: throws Error(internal) and says that this is a bug.
#define DG_ASSERT(condition, ...)                                         \
  do {                                                                    \
    if (!(condition)) [[unlikely]] {                                      \
      ::diagrad::detail::assertion_failed(#condition, __FILE__, __LINE__, \
                                          ::fmt::format(__VA_ARGS__));    \
    }                                                                     \
  } while (false)
