#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace diagrad::testing {

/// Something that reads what may come from anywhere: the one description from which the suite of
/// damaged inputs and the fuzzer are made.
struct ReaderCase {
  std::string name;  ///< "toml"
  /// Whole inputs, which it reads without an error.
  std::function<std::vector<std::string>()> examples;
  /// Reads one input. Throws nothing but Error, whose message is one line.
  std::function<void(const std::string&)> read;
  int damages = 1500;  ///< inputs of the suite: fewer for slow readers
};

/// All of them, in order of their names.
const std::vector<ReaderCase>& reader_cases();

/// `const ReaderRegistration registered{{...case...}};` at namespace scope of a *_case.cpp file.
struct ReaderRegistration {
  ReaderRegistration(std::initializer_list<ReaderCase> cases);
};

/// Reads `input`: true if the reader took it, false if it refused it with an Error. Throws
/// std::logic_error for an Error whose message is empty or longer than a line, and lets anything
/// else through.
bool reads(const ReaderCase& reader, const std::string& input);

/// The path of a file of this process that holds `bytes` until the next call with this name.
std::string input_file(const std::string& name, const std::string& bytes);

}  // namespace diagrad::testing
