#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/philox_words.h"
#include "diagrad/ops/dropout_kernels.h"

namespace diagrad {
namespace {

/// Values that one chunk of drop_path should at least have.
constexpr int64_t kGrainValues = 16384;
/// Philox blocks made at once, so that the loop over them vectorises; and per chunk of dropout.
constexpr int64_t kBlocks = 64;
constexpr int64_t kGrainBlocks = 1024;

template <typename T>
void keep_or_drop(int64_t count, const uint32_t* __restrict words, uint32_t threshold, T scale,
                  const T* __restrict x, T* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * (words[i] >= threshold ? scale : T(0));
}

template <typename T>
void drop_elements(const DropoutMask& mask, const T* x, int64_t size, T* y) {
  const bool drops_all = mask.threshold >> 32 != 0;  // p = 1
  const auto threshold = drops_all ? uint32_t{0} : static_cast<uint32_t>(mask.threshold);
  const T scale = drops_all ? T(0) : static_cast<T>(mask.scale);
  parallel_for((size + 3) / 4, kGrainBlocks, [=](int64_t first, int64_t last) {
    uint32_t words[4 * kBlocks];
    for (int64_t block = first; block < last; block += kBlocks) {
      kernels::philox_words<kBlocks>(mask.seed, mask.stream, static_cast<uint64_t>(block), words);
      const int64_t start = 4 * block;
      const int64_t end = std::min({4 * last, start + 4 * kBlocks, size});
      keep_or_drop(end - start, words, threshold, scale, x + start, y + start);
    }
  });
}

template <typename T>
void drop_samples(const DropoutMask& mask, const T* x, int64_t samples, int64_t values, T* y) {
  const T scale = static_cast<T>(mask.scale);
  parallel_for(samples, kGrainValues / std::max<int64_t>(values, 1),
               [=](int64_t first, int64_t last) {
                 for (int64_t b = first; b < last; ++b) {
                   const T* const from = x + b * values;
                   T* const to = y + b * values;
                   const T factor = mask.keeps(static_cast<uint64_t>(b)) ? scale : T(0);
                   for (int64_t i = 0; i < values; ++i) to[i] = from[i] * factor;
                 }
               });
}

void dropout_cpu(const DropoutMask& mask, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "dropout", [&](auto tag) {
    using T = typename decltype(tag)::type;
    drop_elements(mask, x.data<T>(), x.numel(), y.data<T>());
  });
}

void drop_path_cpu(const DropoutMask& mask, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "drop_path", [&](auto tag) {
    using T = typename decltype(tag)::type;
    drop_samples(mask, x.data<T>(), x.size(0), x.shape().numel(1, x.rank()), y.data<T>());
  });
}

[[maybe_unused]] const bool registered = dropout_kernel.set(DeviceType::cpu, dropout_cpu) &&
                                         drop_path_kernel.set(DeviceType::cpu, drop_path_cpu);

}  // namespace
}  // namespace diagrad
