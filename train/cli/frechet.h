#pragma once

#include <cstdint>
#include <string>

#include "diagrad/train/cli/console.h"

namespace diagrad::cli {

/// What `eval --frechet` compares.
struct FrechetRequest {
  std::string images;          ///< as `--data` names a set: its test images; or a trained generator
  std::string classifier;      ///< a checkpoint or a run folder
  std::string reference = {};  ///< as `--data`: its training images; empty: the classifier's data
  int64_t count = 0;           ///< how many of the images; 0: all, of a set
  int64_t batch = 256;
  int workers = 0;
  std::string math = {};  ///< empty: that of the classifier's run
  bool json = false;
};

/// Prints the Frechet distance of two sets of images on the features of a classifier. Throws for
/// fewer than 4 images a feature, and for images of another size than the classifier's.
void print_frechet(Console& console, const FrechetRequest& request);

}  // namespace diagrad::cli
