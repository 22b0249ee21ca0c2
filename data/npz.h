#pragma once

#include <string>

#include "diagrad/data/dataset.h"

namespace diagrad::data {

/// The images of an .npz file: `images`, u8 [N,H,W,C] with C 1 or 3; optionally `labels`, i64 [N],
/// and `classes`, i64 [], their number (else the largest label + 1). Throws Error(data).
DatasetPtr read_npz(const std::string& path);

/// A file, which then holds training and test images in one, or a folder with train.npz and
/// test.npz.
DatasetSplits open_npz(const std::string& path);

}  // namespace diagrad::data
