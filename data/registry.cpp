#include "diagrad/data/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad::data {
namespace {

namespace fs = std::filesystem;

std::vector<DatasetFormat>& formats() {
  static std::vector<DatasetFormat> all;
  return all;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

const DatasetFormat* find_format(std::string_view name) {
  for (const DatasetFormat& format : formats()) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const DatasetFormat& format : formats()) all.push_back(format.name);
  return all;
}

std::string known_names() {
  return fmt::format("{}", fmt::join(names(), ", "));
}

DatasetSplits open_folder(const std::string& folder) {
  for (const DatasetFormat& format : formats()) {
    if (format.recognizes && format.recognizes(folder)) return format.open(folder);
  }
  std::vector<std::pair<const DatasetFormat*, std::string>> inner;
  for (const DatasetFormat& format : formats()) {
    const fs::path path = fs::path(folder) / format.folder;
    if (!format.folder.empty() && is_folder(path)) inner.emplace_back(&format, path.string());
  }
  if (inner.size() == 1) return inner.front().first->open(inner.front().second);
  if (inner.size() > 1) {
    fail(ErrorKind::data, "data: {} holds {} data sets, name one of them: {} or {}", folder,
         inner.size(), inner[0].second, inner[1].second);
  }
  fail(ErrorKind::data,
       "data: {} holds none of the files of a known format (known: {}); `diagrad datasets` lists "
       "what each looks like",
       folder, known_names());
}

DatasetSplits open_named(const DatasetFormat& format, const std::string& text) {
  const OptionValues options("data", parse_selection("data", text), format.options);
  if (format.make) return format.make(options);
  if (is_folder(format.name)) return open_folder(format.name);
  const std::optional<std::string> folder = find_data(format.folder);
  if (!folder) {
    fail(ErrorKind::data, "data: no folder {} in {}; {}", format.folder,
         data_folders().empty() ? "DIAGRAD_DATA or datasets"
                                : fmt::format("{}", fmt::join(data_folders(), ", ")),
         format.obtain);
  }
  return format.open(*folder);
}

}  // namespace

bool register_dataset(DatasetFormat format) {
  DG_CHECK(!format.name.empty(), "data set: an entry is registered without a name");
  DG_CHECK(find_format(format.name) == nullptr, "data set '{}' is registered twice", format.name);
  DG_CHECK(format.make || (format.recognizes && format.open),
           "data set '{}' is registered with neither .make nor both .recognizes and .open: nothing "
           "could read it",
           format.name);
  const auto place =
      std::find_if(formats().begin(), formats().end(),
                   [&](const DatasetFormat& other) { return other.name > format.name; });
  formats().insert(place, std::move(format));
  return true;
}

const std::vector<DatasetFormat>& dataset_formats() {
  return formats();
}

DatasetSplits open_dataset(const std::string& text) {
  DG_CHECK(!text.empty(), "data: the name is empty, use a folder or one of: {}", known_names());
  if (const DatasetFormat* format = find_format(text.substr(0, text.find(':')))) {
    return open_named(*format, text);
  }
  std::error_code error;
  const fs::file_status status = fs::status(text, error);
  if (fs::is_directory(status)) return open_folder(text);
  if (fs::exists(status)) {
    for (const DatasetFormat& format : formats()) {
      if (format.recognizes && format.recognizes(text)) return format.open(text);
    }
    fail(ErrorKind::data, "data: {} is a file, expected a folder; use the folder that holds it",
         text);
  }
  if (fs::path(text).is_relative()) {
    const std::optional<std::string> found = find_data(text);
    if (found && is_folder(*found)) return open_folder(*found);
  }
  fail(ErrorKind::data, "data: {} does not exist{} (use a folder, or one of: {})", text,
       did_you_mean(text.substr(0, text.find(':')), names()), known_names());
}

std::vector<std::string> data_folders() {
  const char* given = std::getenv("DIAGRAD_DATA");
  if (given != nullptr && *given != '\0') return {given};
  std::vector<std::string> result;
  for (const char* folder : {"datasets", "../shared/data"}) {
    if (is_folder(folder)) result.emplace_back(folder);
  }
  return result;
}

std::optional<std::string> find_data(std::string_view name) {
  for (const std::string& folder : data_folders()) {
    const fs::path path = fs::path(folder) / name;
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path.string();
  }
  return std::nullopt;
}

}  // namespace diagrad::data
