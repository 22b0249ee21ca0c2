#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/data/dataset.h"

namespace diagrad::data {

/// A kind of data set that `--data` understands. It either makes its images (`make`) or reads a
/// folder or file (`recognizes`, `open`).
struct DatasetFormat {
  std::string name = {};                 ///< "cifar10": `--data cifar10` searches for `folder`
  std::string help = {};                 ///< one line
  std::vector<TargetInfo> targets = {};  ///< those that its data sets have
  std::vector<Option> options = {};
  std::function<DatasetSplits(const OptionValues&)> make = {};

  std::string folder = {};  ///< what the official archive unpacks to, "cifar-10-batches-bin"
  std::string obtain = {};  ///< how to get it, for the error that nothing was found
  /// Whether a folder or file looks like this format, damaged or incomplete ones included: `open`
  /// then says what is wrong with it.
  std::function<bool(const std::string& path)> recognizes = {};
  std::function<DatasetSplits(const std::string& path)> open = {};
};

/// `const bool registered = register_dataset({...});` at namespace scope of the format's file.
/// Throws for a name that is empty or taken, and where it could neither make nor read a data set.
bool register_dataset(DatasetFormat format);
/// All formats, in order of their names.
const std::vector<DatasetFormat>& dataset_formats();

/// Opens what `--data` names:
///   - `shapes` or `shapes:size=48,train=2000`: a set made by the program;
///   - a folder or file of a known format, or a folder that holds such a folder under its official
///     name;
///   - `cifar10`, `cifar100`, or a relative folder that does not exist here: searched for in
///     data_folders().
/// Throws Error(data) for folders that are missing, of no known format or damaged, Error(usage)
/// for options.
DatasetSplits open_dataset(const std::string& text);

/// Where data sets are searched for: the environment variable DIAGRAD_DATA where it is set, else
/// `datasets` (scripts/get_data.sh unpacks there) and `../shared/data`, those that exist.
std::vector<std::string> data_folders();
/// The first `name` in data_folders().
std::optional<std::string> find_data(std::string_view name);

}  // namespace diagrad::data
