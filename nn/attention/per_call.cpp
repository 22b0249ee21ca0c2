#include "diagrad/nn/attention/per_call.h"

namespace diagrad::nn {

Option norm_sharing_option() {
  return choice_option("bn", {"private", "shared-affine", "shared"},
                       "what the blocks of a unit share of its normalisation");
}

NormSharing norm_sharing(const OptionValues& options) {
  const std::string& word = options.get_choice("bn");
  if (word == "private") return NormSharing::none;
  return word == "shared" ? NormSharing::all : NormSharing::affine;
}

int64_t affine_copies(NormSharing sharing, int64_t calls) {
  return sharing == NormSharing::none ? calls : 1;
}

}  // namespace diagrad::nn
