#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace diagrad::testing {

struct ProgramOptions {
  std::string folder = {};  ///< to run in; empty: this one
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< beside that of the test
  std::string output_file = {};   ///< standard output goes there, e.g. /dev/full
  int64_t largest_file = -1;      ///< from 0: no file may become larger, as on a full disk
  int terminal_columns = 0;       ///< above 0: standard output is a terminal of this width
  bool owns_terminal = false;     ///< that sends SIGHUP to the process when it goes away
  std::vector<int> closed = {};   ///< descriptors of 0 to 2 that are not open
  std::vector<int> ignored = {};  ///< signals that are ignored; the others are not
  bool has_reader = true;         ///< of standard output; false: it has gone before the first byte
  /// Not empty: the reader of standard output, or the terminal, goes away when this has come.
  std::string leaves_at = {};
  /// Called with what came on standard output so far and the process, after each piece of it.
  std::function<void(const std::string& out, int process)> watch = {};
};

struct ProgramResult {
  int code = 0;  ///< exit code; 128 + signal for a process that a signal ended
  std::string out;
  std::string err;
};

/// Runs the program that was built beside the tests, without a shell.
ProgramResult run_program(const std::vector<std::string>& arguments,
                          const ProgramOptions& options = {});

/// The lines of a text, without their ends.
std::vector<std::string> lines_of(const std::string& text);

/// Whether a program ended with this exit code and one line on standard error, an error that
/// contains `words`; prints what it did where it did not.
bool is_refusal(const ProgramResult& result, int code, const std::string& words);

/// Whether the program refused with this exit code, nothing on standard output and one line on
/// standard error that contains `words`; prints what it did where it did not.
bool refuses(const std::vector<std::string>& arguments, int code, const std::string& words,
             const ProgramOptions& options = {});

}  // namespace diagrad::testing
