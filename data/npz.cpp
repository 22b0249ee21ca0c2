#include "diagrad/data/npz.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/data/npz_file.h"
#include "diagrad/data/registry.h"

namespace diagrad::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".npz";
constexpr const char* kTrain = "train.npz";
constexpr const char* kTest = "test.npz";
constexpr int64_t kMostSide = 1 << 14;
constexpr int64_t kMostClasses = 100'000;

static_assert(std::endian::native == std::endian::little,
              "labels are read as they lie in the file");

class NpzImages : public Dataset {
 public:
  NpzImages(DatasetInfo info, std::string path, std::vector<uint8_t> pixels,
            std::vector<int64_t> labels)
      : Dataset(std::move(info)),
        path_(std::move(path)),
        pixels_(std::move(pixels)),
        labels_(std::move(labels)) {}

  int64_t size() const override {
    return static_cast<int64_t>(pixels_.size()) / info().image.numel();
  }
  void read(int64_t index, Sample& sample) const override {
    DG_ASSERT(index >= 0 && index < size(), "image {} of {}", index, size());
    sample.start(info(), info().image);
    const int64_t bytes = info().image.numel();
    std::copy_n(pixels_.begin() + index * bytes, bytes, sample.pixels.begin());
    if (!labels_.empty()) sample.values<int64_t>("label").push_back(label(index));
  }
  int64_t label(int64_t index) const override {
    return labels_.empty() ? -1 : labels_.at(static_cast<size_t>(index));
  }
  std::string source(int64_t index) const override {
    return fmt::format("{}, image {}", path_, index);
  }

 private:
  std::string path_;
  std::vector<uint8_t> pixels_;  ///< [N,H,W,C]
  std::vector<int64_t> labels_;  ///< [N], or none
};

/// An array with its dtype and rank. Throws where the file has it in another form.
const NpzArray* find_array(const NpzFile& file, const std::string& path, std::string_view name,
                           std::string_view dtype, int rank, std::string_view form) {
  const NpzArray* array = file.find(name);
  if (array == nullptr || (array->dtype == dtype && array->shape.rank() == rank)) return array;
  fail(ErrorKind::data, "{}: {}.npy is {} {}, expected {}", path, name, printable(array->dtype),
       array->shape.str(), form);
}

std::vector<int64_t> read_numbers(const NpzFile& file, const NpzArray& array) {
  const std::vector<uint8_t> bytes = file.read(array);
  std::vector<int64_t> values(bytes.size() / sizeof(int64_t));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

const NpzArray& images_of(const NpzFile& file, const std::string& path) {
  const NpzArray* images = find_array(file, path, "images", "|u1", 4, "u8 [N,H,W,C]");
  if (images == nullptr) {
    std::string names;
    for (const NpzArray& array : file.arrays()) {
      names += (names.empty() ? "" : ", ") + printable(array.name);
    }
    fail(ErrorKind::data, "{}: has no array images, u8 [N,H,W,C]; it has: {}", path,
         names.empty() ? "none" : names);
  }
  const Shape& shape = images->shape;
  const bool has_size = shape[0] >= 1 && shape[1] >= 1 && shape[2] >= 1 && shape[1] <= kMostSide &&
                        shape[2] <= kMostSide && (shape[3] == 1 || shape[3] == 3);
  if (!has_size) {
    fail(ErrorKind::data,
         "{}: images.npy is {}, expected [N,H,W,C] with at least one image, sides of 1 to {} and 1 "
         "or 3 channels",
         path, shape.str(), kMostSide);
  }
  return *images;
}

/// How many classes there are: what the file says, else the largest label + 1.
int64_t count_classes(const NpzFile& file, const std::string& path,
                      const std::vector<int64_t>& labels) {
  int64_t count = std::min(*std::max_element(labels.begin(), labels.end()), kMostClasses) + 1;
  const NpzArray* classes = find_array(file, path, "classes", "<i8", 0, "i64 []");
  if (classes != nullptr) count = read_numbers(file, *classes).front();
  if (count < 1 || count > kMostClasses) {
    fail(ErrorKind::data, "{}: has {} classes, use 1 to {}", path, count, kMostClasses);
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < count) continue;
    fail(ErrorKind::data, "{}: label {} of image {} is outside 0..{}", path, labels[i], i,
         count - 1);
  }
  return count;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

const bool registered = register_dataset(
    {.name = "npz",
     .help = "NumPy arrays images u8 [N,H,W,C] and labels i64 [N]: FILE.npz for training and test "
             "alike, or a folder with train.npz and test.npz",
     .targets = {label_target()},
     .folder = "npz",
     .obtain = "name a file, as in --data images.npz, or a folder with train.npz and test.npz",
     .recognizes =
         [](const std::string& path) {
           return is_file(path)
                      ? path.ends_with(kEnding)
                      : is_file(fs::path(path) / kTrain) || is_file(fs::path(path) / kTest);
         },
     .open = open_npz});

}  // namespace

DatasetPtr read_npz(const std::string& path) {
  const NpzFile file(path);
  const NpzArray& images = images_of(file, path);
  DatasetInfo info{.name = fs::path(path).filename().string(),
                   .image = {images.shape[1], images.shape[2], images.shape[3]},
                   .normalization = "half"};
  std::vector<int64_t> labels;
  const NpzArray* array = find_array(file, path, "labels", "<i8", 1, "i64 [N]");
  if (array != nullptr) {
    if (array->shape[0] != images.shape[0]) {
      fail(ErrorKind::data, "{}: has {} images and {} labels", path, images.shape[0],
           array->shape[0]);
    }
    labels = read_numbers(file, *array);
    info.targets = {label_target()};
    const int64_t classes = count_classes(file, path, labels);
    for (int64_t k = 0; k < classes; ++k) info.classes.push_back(fmt::format("class {}", k));
  }
  return std::make_shared<NpzImages>(std::move(info), path, file.read(images), std::move(labels));
}

DatasetSplits open_npz(const std::string& path) {
  if (is_file(path)) {
    const DatasetPtr all = read_npz(path);
    return {.train = all, .test = all};
  }
  for (const char* name : {kTrain, kTest}) {
    if (!is_file(fs::path(path) / name)) fail(ErrorKind::data, "data: {} has no {}", path, name);
  }
  return {.train = read_npz((fs::path(path) / kTrain).string()),
          .test = read_npz((fs::path(path) / kTest).string())};
}

}  // namespace diagrad::data
