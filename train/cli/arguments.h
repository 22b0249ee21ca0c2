#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace diagrad::cli {

/// What one option of a command is called, how --help shows it.
struct ArgumentInfo {
  std::string name = {};           ///< "epochs" for --epochs
  std::string type = {};           ///< "N", "NAME"; empty for a switch
  std::string default_value = {};  ///< as text; empty: not shown
  std::string help = {};
};

/// What one command takes from the command line; a cover over CLI11. Targets must outlive parsing.
class Arguments {
 public:
  using Receiver = std::function<void(const std::vector<std::string>& values)>;

  explicit Arguments(CLI::App& app) : app_(app) {}

  /// Options declared from now on stand under this heading.
  void heading(std::string text) { heading_ = std::move(text); }
  /// `--name VALUE`; given several times, `receive` gets all, in order. It is called only when the
  /// option is there.
  void option(const ArgumentInfo& info, Receiver receive);
  /// `--name`, or `--name=false`.
  void flag(const ArgumentInfo& info, Receiver receive);

  /// The last value counts. Texts that are not of the target's type are Error(usage).
  void option(const ArgumentInfo& info, std::string& target);
  void option(const ArgumentInfo& info, int64_t& target);
  void flag(const ArgumentInfo& info, bool& target);
  /// A word without an option's name.
  void positional(const ArgumentInfo& info, std::string& target);

 private:
  CLI::App& app_;
  std::string heading_ = "Options";
};

}  // namespace diagrad::cli
