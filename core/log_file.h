#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "diagrad/core/function_ref.h"

namespace diagrad {

/// A text file that grows by whole lines and can be cut back to an earlier one. Lines wait in
/// memory until flush(). Throws Error(checkpoint) where the file cannot be read or written.
class LogFile {
 public:
  /// Opens the file, made where there is none, and keeps its beginning: the lines up to the first
  /// that `keep` refuses or that does not end (a process died while writing it).
  LogFile(std::string path, FunctionRef<bool(std::string_view line)> keep);
  /// Flushes; failures are silent here.
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// Whether it has no lines, waiting ones included.
  bool empty() const { return size_ == 0 && waiting_.empty(); }
  void add(std::string_view line);
  /// After it the lines survive the end of this process; with `to_disk` also that of the machine.
  void flush(bool to_disk = false);

 private:
  void cut(FunctionRef<bool(std::string_view line)> keep);

  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  std::string waiting_;
};

}  // namespace diagrad
