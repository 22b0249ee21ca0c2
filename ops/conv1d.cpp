#include "diagrad/ops/conv1d.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/convolution.h"

namespace diagrad {

Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv1dOptions& options) {
  DG_CHECK(x.rank() == 3 && w.rank() == 3,
           "conv1d: expected input [B,L,C] and weight [O,k,C/groups], got {} and {}", x.shape(),
           w.shape());
  check_convolution("conv1d", x, w, bias, options.groups);
  ConvGeometry geometry;
  geometry.batch = x.size(0);
  geometry.in_channels = x.size(2);
  geometry.out_channels = w.size(0);
  geometry.groups = options.groups;
  geometry.input = {1, x.size(1)};
  geometry.kernel = {1, w.size(1)};
  geometry.padding = {0, options.padding};
  geometry.dilation = {1, options.dilation};
  geometry.output = {1, convolution_size("conv1d", "length", x.size(1), w.size(1), options.stride,
                                         options.padding, options.dilation)};
  geometry.stride = {1, reachable_stride(x.size(1), options.stride, options.padding)};
  return record_convolution("conv1d", geometry, x, w, bias,
                            {geometry.batch, geometry.output.w, geometry.out_channels});
}

Tensor conv1d(const Tensor& x, const Tensor& w, const Conv1dOptions& options) {
  return conv1d(x, w, Tensor(), options);
}

}  // namespace diagrad
