#include "diagrad/ops/cpu/gemm/pointwise.h"

#include <algorithm>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/gemm/gemm.h"
#include "diagrad/ops/cpu/gemm/pack.h"
#include "diagrad/ops/cpu/gemm/row_product.h"

namespace diagrad::kernels {
namespace {

/// Terms that are summed in registers, as in gemm.cpp.
template <typename T>
constexpr int64_t kPassLength = 2048 / static_cast<int64_t>(sizeof(T));
/// Rows of dy that are made at a time, and elements that they should not exceed by much: they are
/// to stay in L2 beside the weights.
constexpr int64_t kTileRows = 256;
constexpr int64_t kTileElements = int64_t{1} << 16;
/// Elements of all partial sums of dw.
constexpr int64_t kPartialElements = int64_t{1} << 21;

template <typename T>
class Backward {
 public:
  Backward(const PointwiseGradients<T>& g, MakeRows<T> make_dy, MakeRows<T> make_x)
      : g_(g),
        make_dy_(make_dy),
        make_x_(make_x),
        weights_(PackedMatrix<T>::Form::plain, g.w, g.outputs, g.dx == nullptr ? 0 : g.inputs),
        tile_rows_(std::clamp<int64_t>(kTileElements / std::max<int64_t>(g.outputs, 1), kMaxRows,
                                       kTileRows)) {}

  void run() const {
    const int64_t tiles = (g_.rows + tile_rows_ - 1) / tile_rows_;
    const int64_t size = g_.dw == nullptr ? 0 : g_.outputs * g_.inputs;
    const int64_t most = std::max<int64_t>(kPartialElements / std::max<int64_t>(size, 1), 4);
    const ChunkPlan plan(tiles, (tiles + most - 1) / most);
    const Scratch<T> partial(size * plan.count);
    parallel_for_chunks(plan, tiles, [&](int64_t chunk, int64_t first, int64_t last) {
      const Scratch<T> dy(tile_rows_ * g_.outputs);
      const Scratch<T> x(g_.x == nullptr ? tile_rows_ * g_.inputs : 0);
      T* const dw = partial.data() + chunk * size;
      for (int64_t tile = first; tile < last; ++tile) {
        const int64_t row = tile * tile_rows_;
        const Tile made{row, std::min(tile_rows_, g_.rows - row), dy.data(), x.data()};
        run_tile(made, dw, tile > first);
      }
    });
    if (g_.dw != nullptr) add_partial_sums(partial.data(), plan.count, size);
  }

 private:
  /// Some rows, with memory for those of dy and, where they are made, of x.
  struct Tile {
    int64_t row, rows;
    T* dy;
    T* x;
  };

  void run_tile(const Tile& tile, T* dw, bool add_to_dw) const {
    make_dy_(tile.row, tile.rows, tile.dy);
    T* const dx = g_.dx == nullptr ? nullptr : g_.dx + tile.row * g_.inputs;
    if (dx != nullptr) weights_.multiply(tile.rows, tile.dy, dx, g_.accumulate);
    if (g_.dw == nullptr) return;
    if (g_.x == nullptr) make_x_(tile.row, tile.rows, tile.x);
    Gemm<T> product;
    product.m = product.a_stride = g_.outputs;
    product.n = product.b_stride = product.c_stride = g_.inputs;
    product.k = tile.rows;
    product.a = tile.dy;
    product.transpose_a = true;
    product.b = g_.x == nullptr ? tile.x : g_.x + tile.row * g_.inputs;
    product.c = dw;
    product.accumulate = add_to_dw;
    gemm(product);
  }

  void add_partial_sums(const T* partial, int64_t count, int64_t size) const {
    parallel_for(size, kTileElements / std::max<int64_t>(count, 1),
                 [&](int64_t first, int64_t last) {
                   std::fill(g_.dw + first, g_.dw + last, T(0));
                   for (int64_t chunk = 0; chunk < count; ++chunk) {
                     const T* const part = partial + chunk * size;
                     for (int64_t i = first; i < last; ++i) g_.dw[i] += part[i];
                   }
                 });
  }

  const PointwiseGradients<T>& g_;
  MakeRows<T> make_dy_;
  MakeRows<T> make_x_;
  PackedMatrix<T> weights_;
  int64_t tile_rows_;
};

}  // namespace

template <typename T>
PackedMatrix<T>::PackedMatrix(Form form, const T* w, int64_t outputs, int64_t inputs)
    : form_(form),
      inner_(form == Form::plain ? outputs : inputs),
      columns_(form == Form::plain ? inputs : outputs),
      split_(columns_, kWideVectors),
      packed_(split_.padded_columns() * inner_) {
  for (int64_t panel = 0; panel < split_.count(); ++panel) {
    T* const target = packed_.data() + split_.first_column(panel) * inner_;
    if (form == Form::plain) {
      pack_panel_from_rows<T>(
          split_, panel, inner_, [&](int64_t k) { return w + k * inputs; }, target);
    } else {
      pack_panel_from_columns<T>(split_, panel, inner_, w, inputs, target);
    }
  }
}

template <typename T>
void PackedMatrix<T>::multiply(int64_t rows, const T* a, T* c, bool accumulate) const {
  if (inner_ == 0) {
    if (!accumulate) std::fill(c, c + rows * columns_, T(0));
    return;
  }
  RowProduct<T> product{rows, inner_, a, inner_, c, columns_};
  product.accumulate = accumulate;
  // Inputs lie in memory, dy is made in cache.
  product.prefetch = form_ == Form::transposed ? Prefetch::kStream : Prefetch::kResult;
  multiply_rows(product, split_, kPassLength<T>, [&](int64_t panel, int64_t k) {
    const int64_t width = split_.vectors(panel) * kLanes<T>;
    return PanelOperand<T>{packed_.data() + split_.first_column(panel) * inner_ + k * width, width,
                           0};
  });
}

template <typename T>
void pointwise_gradients(const PointwiseGradients<T>& gradients, MakeRows<T> make_dy,
                         MakeRows<T> make_x) {
  Backward<T>(gradients, make_dy, make_x).run();
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template void pointwise_gradients<float>(const PointwiseGradients<float>&, MakeRows<float>,
                                         MakeRows<float>);
template void pointwise_gradients<double>(const PointwiseGradients<double>&, MakeRows<double>,
                                          MakeRows<double>);

}  // namespace diagrad::kernels
