#include "diagrad/data/cifar.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/data/registry.h"

namespace diagrad::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 32;
constexpr int64_t kPlane = kSide * kSide;
constexpr int64_t kPixels = 3 * kPlane;
constexpr int kBatches = 5;  // files of training images that the official CIFAR-10 has
/// Seven times the largest official file: more is something else.
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;
/// Names go to terminals and reports.
constexpr size_t kMaxNameLength = 64;

struct CifarFile {
  std::string path;
  int64_t first = 0;  ///< index of its first record in the data set
};

class Cifar : public Dataset {
 public:
  Cifar(DatasetInfo info, std::vector<CifarFile> files, std::vector<uint8_t> pixels,
        std::vector<uint8_t> labels)
      : Dataset(std::move(info)),
        files_(std::move(files)),
        pixels_(std::move(pixels)),
        labels_(std::move(labels)) {}

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }

  void read(int64_t index, Sample& sample) const override {
    DG_ASSERT(index >= 0 && index < size(), "image {} of {}", index, size());
    sample.start(info(), info().image);
    std::copy_n(pixels_.begin() + index * kPixels, kPixels, sample.pixels.begin());
    sample.values<int64_t>("label").push_back(labels_[static_cast<size_t>(index)]);
  }

  int64_t label(int64_t index) const override { return labels_.at(static_cast<size_t>(index)); }

  std::string source(int64_t index) const override {
    const auto after =
        std::upper_bound(files_.begin(), files_.end(), index,
                         [](int64_t i, const CifarFile& file) { return i < file.first; });
    const CifarFile& file = after == files_.begin() ? *after : *(after - 1);
    return fmt::format("{}, record {}", file.path, index - file.first);
  }

 private:
  std::vector<CifarFile> files_;
  std::vector<uint8_t> pixels_;  ///< [N,H,W,C]
  std::vector<uint8_t> labels_;
};

/// How many records a file has by its size, which is checked before anything is allocated.
int64_t count_records(const CifarLayout& layout, const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorKind::data, "{}: {}: file is missing", layout.name, path);
  if (!fs::is_regular_file(status)) {
    fail(ErrorKind::data, "{}: {} is a {}, expected a file of records", layout.name, path,
         fs::is_directory(status) ? "folder" : "device");
  }
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) fail(ErrorKind::data, "{}: {}: {}", layout.name, path, error.message());
  const auto size = static_cast<int64_t>(std::min<uintmax_t>(bytes, INT64_MAX));
  const int64_t record = layout.record_bytes();
  if (size == 0) {
    fail(ErrorKind::data, "{}: {} is empty; fetch it again (scripts/get_data.sh {})", layout.name,
         path, layout.name);
  }
  if (size > kMaxFileBytes) {
    fail(ErrorKind::data, "{}: {} has {} bytes, more than {} that any such file has", layout.name,
         path, size, kMaxFileBytes);
  }
  if (size % record != 0) {
    fail(ErrorKind::data,
         "{}: {} has {} bytes, that is {} records of {} bytes and {} bytes of record {}; the file "
         "is cut short or of another format: fetch it again (scripts/get_data.sh {})",
         layout.name, path, size, size / record, record, size % record, size / record, layout.name);
  }
  return size / record;
}

int64_t checked_label(const CifarLayout& layout, const std::string& path, int64_t record,
                      const uint8_t* bytes) {
  const auto check = [&](const char* what, int64_t label, int64_t count) {
    if (label < count) return;
    fail(ErrorKind::data,
         "{}: {}, record {}: {} {} is outside 0..{}; the file is damaged or of another format: "
         "fetch it again (scripts/get_data.sh {})",
         layout.name, path, record, what, label, count - 1, layout.name);
  };
  if (layout.coarse_classes == 0) {
    check("label", bytes[0], layout.classes);
    return bytes[0];
  }
  check("coarse label", bytes[0], layout.coarse_classes);
  check("fine label", bytes[1], layout.classes);
  return bytes[1];
}

void append_records(const CifarLayout& layout, const std::string& path,
                    std::vector<uint8_t>& pixels, std::vector<uint8_t>& labels) {
  const int64_t records = count_records(layout, path);
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.record_bytes()));
  const size_t before = pixels.size();
  pixels.resize(before + static_cast<size_t>(records * kPixels));
  uint8_t* out = pixels.data() + before;
  for (int64_t record = 0; record < records; ++record) {
    if (!stream.read(reinterpret_cast<char*>(bytes.data()), layout.record_bytes())) {
      fail(ErrorKind::data, "{}: {}, record {}: cannot be read: {}", layout.name, path, record,
           errno != 0 ? std::strerror(errno) : "the file ends early");
    }
    labels.push_back(static_cast<uint8_t>(checked_label(layout, path, record, bytes.data())));
    const uint8_t* planes = bytes.data() + layout.label_bytes();
    for (int64_t i = 0; i < kPlane; ++i) {
      for (int64_t c = 0; c < 3; ++c) *out++ = planes[c * kPlane + i];
    }
  }
}

/// One name a line, in order of the labels; blank lines at the end are ignored. Empty where the
/// file is not there: names are optional, but those that are there must fit.
std::vector<std::string> read_names(const CifarLayout& layout, const fs::path& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return names;
  const auto wanted = static_cast<size_t>(layout.classes);
  // A byte order mark, lines of that many bytes and their ends; where a line goes on beyond, it is
  // no name.
  std::string text(3 + wanted * (kMaxNameLength + 2) + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  std::istringstream stream(text);
  std::string line;
  while (names.size() < wanted && stream.good() && std::getline(stream, line)) {
    line = std::string(plain_line(line));
    while (!line.empty() && line.back() == ' ') line.pop_back();
    const bool printable =
        std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (line.empty() || line.size() > kMaxNameLength || !printable) break;
    names.push_back(line);
  }
  if (names.size() < wanted) {
    fail(ErrorKind::data,
         "{}: {}: line {} is no class name, expected {} lines with one name of at most {} plain "
         "letters each; without the file, numbers stand for names",
         layout.name, path.string(), names.size() + 1, wanted, kMaxNameLength);
  }
  return names;
}

bool has_file(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  return fs::exists(folder / name, ignored);
}

bool has_plain_file(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  return fs::is_regular_file(folder / name, ignored);
}

std::string batch_name(int number) {
  return fmt::format("data_batch_{}.bin", number);
}

/// A note where a batch is missing below one that is there; smaller sets leave out the last ones.
std::vector<std::string> missing_batches(const std::string& folder) {
  std::vector<std::string> missing;
  std::vector<std::string> gaps;
  for (int number = 1; number <= kBatches; ++number) {
    if (has_file(folder, batch_name(number))) {
      gaps = missing;
    } else {
      missing.push_back(batch_name(number));
    }
  }
  if (gaps.empty()) return {};
  return {fmt::format("data: {} has no {}; the images of the other files are used", folder,
                      fmt::join(gaps, ", "))};
}

[[noreturn]] void fail_missing(const CifarLayout& layout, const std::string& folder,
                               const std::string& file, bool python_version) {
  fail(ErrorKind::data, "{}: {} has no {}; {}: scripts/get_data.sh {}", layout.name, folder, file,
       python_version ? "it holds the Python version, get the binary one"
                      : "the set is incomplete, fetch it again",
       layout.name);
}

}  // namespace

CifarLayout cifar10_layout() {
  return {"cifar10", 10, 0};
}

CifarLayout cifar100_layout() {
  return {"cifar100", 100, 20};
}

DatasetPtr read_cifar(const CifarLayout& layout, const std::vector<std::string>& files,
                      std::vector<std::string> classes) {
  for (int64_t k = static_cast<int64_t>(classes.size()); k < layout.classes; ++k) {
    classes.push_back(fmt::format("class {}", k));
  }
  std::vector<CifarFile> parts;
  std::vector<uint8_t> pixels;
  std::vector<uint8_t> labels;
  for (const std::string& path : files) {
    parts.push_back({path, static_cast<int64_t>(labels.size())});
    append_records(layout, path, pixels, labels);
  }
  DatasetInfo info{.name = layout.name,
                   .image = {kSide, kSide, 3},
                   .classes = std::move(classes),
                   .targets = {label_target()},
                   .normalization = "cifar"};
  return std::make_shared<Cifar>(std::move(info), std::move(parts), std::move(pixels),
                                 std::move(labels));
}

DatasetSplits open_cifar10(const std::string& folder) {
  const CifarLayout layout = cifar10_layout();
  const fs::path path(folder);
  std::vector<std::string> train;
  for (int number = 1; number <= kBatches; ++number) {
    if (has_file(path, batch_name(number))) train.push_back((path / batch_name(number)).string());
  }
  const bool python_version = has_plain_file(path, "data_batch_1") && train.empty();
  if (train.empty()) fail_missing(layout, folder, "data_batch_1.bin", python_version);
  if (!has_file(path, "test_batch.bin")) fail_missing(layout, folder, "test_batch.bin", false);
  const std::vector<std::string> names = read_names(layout, path / "batches.meta.txt");
  DatasetSplits splits;
  splits.train = read_cifar(layout, train, names);
  splits.test = read_cifar(layout, {(path / "test_batch.bin").string()}, names);
  splits.notes = missing_batches(folder);
  return splits;
}

DatasetSplits open_cifar100(const std::string& folder) {
  const CifarLayout layout = cifar100_layout();
  const fs::path path(folder);
  const bool python_version = has_plain_file(path, "train") && !has_file(path, "train.bin");
  for (const char* file : {"train.bin", "test.bin"}) {
    if (!has_file(path, file)) fail_missing(layout, folder, file, python_version);
  }
  const std::vector<std::string> names = read_names(layout, path / "fine_label_names.txt");
  return {.train = read_cifar(layout, {(path / "train.bin").string()}, names),
          .test = read_cifar(layout, {(path / "test.bin").string()}, names)};
}

namespace {

const bool cifar10_registered = register_dataset(
    {.name = "cifar10",
     .help = "CIFAR-10, binary version: 32x32 photographs of 10 classes (Krizhevsky 2009)",
     .targets = {label_target()},
     .folder = "cifar-10-batches-bin",
     .obtain = "scripts/get_data.sh cifar10 fetches it",
     .recognizes =
         [](const std::string& folder) {
           for (int number = 1; number <= kBatches; ++number) {
             if (has_file(folder, batch_name(number))) return true;
           }
           return has_file(folder, "test_batch.bin") || has_plain_file(folder, "data_batch_1");
         },
     .open = open_cifar10});

const bool cifar100_registered = register_dataset(
    {.name = "cifar100",
     .help = "CIFAR-100, binary version: 32x32 photographs of 100 classes (Krizhevsky 2009)",
     .targets = {label_target()},
     .folder = "cifar-100-binary",
     .obtain = "scripts/get_data.sh cifar100 fetches it",
     .recognizes =
         [](const std::string& folder) {
           return has_file(folder, "train.bin") || has_file(folder, "test.bin") ||
                  (has_plain_file(folder, "train") && has_plain_file(folder, "meta"));
         },
     .open = open_cifar100});

}  // namespace

}  // namespace diagrad::data
