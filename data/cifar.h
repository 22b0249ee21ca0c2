#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/data/dataset.h"

namespace diagrad::data {

/// The official binary layout: a file is a run of records, each of one label byte (CIFAR-100: a
/// coarse one, then the fine one) and 32x32 pixels as three planes, red, green, blue, row by row.
struct CifarLayout {
  std::string name;
  int64_t classes = 0;
  int64_t coarse_classes = 0;  ///< 0: records have no coarse label

  int64_t label_bytes() const { return coarse_classes > 0 ? 2 : 1; }
  int64_t record_bytes() const { return label_bytes() + 3 * 32 * 32; }
};

CifarLayout cifar10_layout();
CifarLayout cifar100_layout();

/// Reads whole files into memory, one after the other; the number of records is that of the file's
/// size. `classes`: the names of the labels; empty: "class 0", "class 1", ...
/// Throws Error(data) with file and record for a file that is missing, no regular file, empty,
/// too large, not a whole number of records, or has a label out of range.
DatasetPtr read_cifar(const CifarLayout& layout, const std::vector<std::string>& files,
                      std::vector<std::string> classes = {});

/// A folder with test_batch.bin and any of data_batch_1.bin to data_batch_5.bin; class names from
/// batches.meta.txt where there is one.
DatasetSplits open_cifar10(const std::string& folder);

/// A folder with train.bin and test.bin, labels are the fine ones; class names from
/// fine_label_names.txt where there is one.
DatasetSplits open_cifar100(const std::string& folder);

}  // namespace diagrad::data
