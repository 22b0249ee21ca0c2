#pragma once

#include <string>
#include <vector>

#include "diagrad/train/report/sample_file.h"

namespace diagrad::train {

/// The section with the sample images, the images inside it: the surest mistakes with what was
/// said and what is true, then right answers to compare them with, under a heading that says which
/// set they are from. Empty without any example.
std::string samples_html(const SampleImages& samples, const std::vector<std::string>& classes,
                         const std::string& set = "test set");

}  // namespace diagrad::train
