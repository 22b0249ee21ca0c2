#pragma once

#include <string>
#include <vector>

#include "diagrad/train/report/sample_file.h"

namespace diagrad::train {

/// The section with the sample pictures, the pictures inside it: the surest mistakes with what was
/// said and what is true, then right answers to compare them with. Empty without any example.
std::string samples_html(const SamplePictures& samples, const std::vector<std::string>& classes);

}  // namespace diagrad::train
