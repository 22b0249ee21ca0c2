#include "diagrad/ops/conv2d.h"

#include "diagrad/ops/convolution.h"

namespace diagrad {

ConvGeometry conv2d_geometry(const char* name, const Tensor& x, const Tensor& w,
                             const Conv2dOptions& options) {
  ConvGeometry geometry;
  geometry.batch = x.size(0);
  geometry.in_channels = x.size(3);
  geometry.out_channels = w.size(0);
  geometry.groups = options.groups;
  geometry.input = {x.size(1), x.size(2)};
  geometry.kernel = {w.size(1), w.size(2)};
  geometry.padding = options.padding;
  geometry.dilation = options.dilation;
  geometry.output = {convolution_size(name, "height", x.size(1), w.size(1), options.stride.h,
                                      options.padding.h, options.dilation.h),
                     convolution_size(name, "width", x.size(2), w.size(2), options.stride.w,
                                      options.padding.w, options.dilation.w)};
  geometry.stride = {reachable_stride(x.size(1), options.stride.h, options.padding.h),
                     reachable_stride(x.size(2), options.stride.w, options.padding.w)};
  return geometry;
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  check_conv2d(x, w, bias, options.groups);
  const ConvGeometry geometry = conv2d_geometry("conv2d", x, w, options);
  return record_convolution(
      "conv2d", geometry, x, w, bias,
      {geometry.batch, geometry.output.h, geometry.output.w, geometry.out_channels});
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Conv2dOptions& options) {
  return conv2d(x, w, Tensor(), options);
}

}  // namespace diagrad
