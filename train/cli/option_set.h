#pragma once

#include <string>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/train/cli/arguments.h"
#include "diagrad/train/cli/setting.h"
#include "diagrad/train/run/options.h"

namespace diagrad::cli {

/// The training options that a command takes, in their three spellings: `--recipe NAME`, then
/// `--config FILE`, then flags; a later one wins.
class OptionSet {
 public:
  /// Declares --recipe, --config and the flags of the options `names`, all where it is empty.
  /// Config files may hold every option all the same. The set must outlive parsing.
  void declare(Arguments& arguments, const std::vector<std::string>& names = {});

  /// The options as the user gave them, checked each by itself and one beside another; names that
  /// a registry knows (model, attention) are checked, too, with the nearest one in the message.
  /// Throws ListRequest for the name "help".
  train::Options read() const;

  /// An error that begins with the name of an option ("lr: -1 must be ..."), with the place
  /// that the option was given in ("run.toml:7: lr: ...", "--lr: ..."); others as they are.
  Error placed(const Error& error) const;

 private:
  const std::vector<Setting>& settings() const;
  train::Options checked() const;

  std::string recipe_;
  std::string config_;
  std::vector<Setting> flags_;
  mutable std::vector<Setting> all_ = {};  ///< read once: a file may change meanwhile
};

}  // namespace diagrad::cli
