#include <algorithm>

#include "diagrad/ops/conv1d.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/upsample.h"
#include "tests/parity/differential/operation.h"

namespace diagrad::parity {
namespace {

using In = std::span<const Tensor>;
using Out = std::vector<Tensor>;

std::vector<double> as_doubles(const Size2& size) {
  return {static_cast<double>(size.h), static_cast<double>(size.w)};
}

Size2 draw_size(Draw& draw, int64_t low, int64_t high) {
  const int64_t h = draw.between(low, high);
  return {h, draw.chance(70) ? h : draw.between(low, high)};
}

/// The smallest image that a dilated kernel fits into, and a few pixels more.
int64_t draw_side(Draw& draw, int64_t kernel, int64_t dilation, int64_t padding, int64_t more) {
  return std::max<int64_t>(1, dilation * (kernel - 1) + 1 - 2 * padding) + draw.between(0, more);
}

struct Channels {
  int64_t groups = 1;
  int64_t inputs = 1;   ///< of a group
  int64_t outputs = 1;  ///< of a group
};

Channels draw_channels(Draw& draw) {
  if (draw.chance(20)) return {draw.between(2, 20), 1, 1};  // depthwise
  if (draw.chance(30)) return {draw.between(2, 4), draw.between(1, 9), draw.between(1, 9)};
  return {1, draw.between(1, 36), draw.between(1, 36)};
}

CaseBody draw_conv2d(Draw& draw) {
  const Size2 kernel = draw_size(draw, 1, 4);
  const Conv2dOptions options{.stride = draw_size(draw, 1, 3),
                              .padding = draw_size(draw, 0, 2),
                              .dilation = draw.chance(70) ? Size2(1) : draw_size(draw, 1, 2)};
  const Channels channels = draw_channels(draw);
  const Shape shape{draw.between(0, 3),
                    draw_side(draw, kernel.h, options.dilation.h, options.padding.h, 8),
                    draw_side(draw, kernel.w, options.dilation.w, options.padding.w, 8),
                    channels.groups * channels.inputs};
  const int64_t outputs = channels.groups * channels.outputs;
  return {{draw.floats(shape), draw.floats({outputs, kernel.h, kernel.w, channels.inputs}),
           draw.maybe({outputs})},
          [=](In in) {
            Conv2dOptions grouped = options;
            grouped.groups = channels.groups;
            return Out{conv2d(in[0], in[1], in[2], grouped)};
          },
          {{"stride", as_doubles(options.stride)},
           {"padding", as_doubles(options.padding)},
           {"dilation", as_doubles(options.dilation)},
           {"groups", {static_cast<double>(channels.groups)}}}};
}

/// Sizes at which Winograd's path is taken; one input in three has a pixel that is much larger.
CaseBody draw_conv2d_fast(Draw& draw) {
  const int64_t groups = draw.pick({1, 1, 1, 2});
  const int64_t inputs = draw.pick({16, 24, 33});
  const int64_t outputs = draw.pick({16, 32, 40});
  const int64_t padding = draw.between(0, 2);
  const Shape shape{draw.between(1, 2), draw.between(8, 17), draw.between(8, 17), groups * inputs};
  CaseBody body{{draw.floats(shape), draw.floats({groups * outputs, 3, 3, inputs}, {-0.5, 0.5}),
                 draw.maybe({groups * outputs})},
                [=](In in) {
                  return Out{conv2d(in[0], in[1], in[2], {.padding = padding, .groups = groups})};
                },
                {{"stride", {1.0, 1.0}},
                 {"padding", as_doubles(padding)},
                 {"dilation", {1.0, 1.0}},
                 {"groups", {static_cast<double>(groups)}}}};
  Input& x = body.inputs[0];
  if (x.layout != Layout::expanded && draw.chance(33)) {
    x.values.data<double>()[draw.between(0, x.values.numel() - 1)] = draw.pick({1e4, 1e6});
  }
  return body;
}

CaseBody draw_conv1d(Draw& draw) {
  const int64_t kernel = draw.between(1, 5);
  const Channels channels = draw_channels(draw);
  const Conv1dOptions options{.stride = draw.between(1, 3),
                              .padding = draw.between(0, 2),
                              .dilation = draw.between(1, 2),
                              .groups = channels.groups};
  const Shape shape{draw.between(0, 3),
                    draw_side(draw, kernel, options.dilation, options.padding, 20),
                    channels.groups * channels.inputs};
  const int64_t outputs = channels.groups * channels.outputs;
  return {
      {draw.floats(shape), draw.floats({outputs, kernel, channels.inputs}), draw.maybe({outputs})},
      [=](In in) { return Out{conv1d(in[0], in[1], in[2], options)}; },
      {{"stride", {static_cast<double>(options.stride)}},
       {"padding", {static_cast<double>(options.padding)}},
       {"dilation", {static_cast<double>(options.dilation)}},
       {"groups", {static_cast<double>(channels.groups)}}}};
}

Operation pool_case(std::string name, Tensor (*function)(const Tensor&, const Pool2dOptions&)) {
  return {std::move(name), [=](Draw& draw) {
            const Size2 kernel = draw_size(draw, 1, 4);
            const Pool2dOptions options{
                .kernel = kernel,
                .stride = draw_size(draw, 1, 3),
                .padding = {draw.between(0, kernel.h / 2), draw.between(0, kernel.w / 2)},
                .count_include_pad = draw.chance(50)};
            const Shape shape{
                draw.between(1, 3), draw_side(draw, kernel.h, 1, options.padding.h, 7),
                draw_side(draw, kernel.w, 1, options.padding.w, 7), draw.between(1, 20)};
            return CaseBody{{draw.floats(shape)},
                            [=](In in) { return Out{function(in[0], options)}; },
                            {{"kernel", as_doubles(options.kernel)},
                             {"stride", as_doubles(options.stride)},
                             {"padding", as_doubles(options.padding)},
                             {"count_include_pad", {options.count_include_pad ? 1.0 : 0.0}}}};
          }};
}

CaseBody draw_adaptive_avg_pool2d(Draw& draw) {
  const Size2 size = draw_size(draw, 1, 6);
  return {{draw.floats(
              {draw.between(1, 3), draw.between(1, 9), draw.between(1, 9), draw.between(1, 20)})},
          [=](In in) { return Out{adaptive_avg_pool2d(in[0], size)}; },
          {{"size", as_doubles(size)}}};
}

CaseBody draw_upsample_nearest(Draw& draw) {
  const int64_t factor = draw.between(1, 3);
  return {{draw.floats(
              {draw.between(0, 3), draw.between(1, 6), draw.between(1, 6), draw.between(1, 20)})},
          [=](In in) { return Out{upsample_nearest(in[0], factor)}; },
          {{"factor", {static_cast<double>(factor)}}}};
}

}  // namespace

std::vector<Operation> image_operations() {
  return {
      {"conv1d", draw_conv1d},
      {"conv2d", draw_conv2d},
      {"conv2d_fast", draw_conv2d_fast, {"conv2d"}, MathMode::fast},
      pool_case("max_pool2d", max_pool2d),
      pool_case("avg_pool2d", avg_pool2d),
      {"adaptive_avg_pool2d", draw_adaptive_avg_pool2d},
      {"upsample_nearest", draw_upsample_nearest},
  };
}

}  // namespace diagrad::parity
