#include "diagrad/nn/attention/channel_stats.h"

#include <numeric>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/unary.h"

namespace diagrad::nn {
namespace {

constexpr double kEpsilon = 1e-5;

/// All axes but the first and the last.
std::vector<int> position_axes(const Tensor& x) {
  std::vector<int> axes(static_cast<size_t>(x.rank()) - 2);
  std::iota(axes.begin(), axes.end(), 1);
  return axes;
}

}  // namespace

ChannelStats::ChannelStats(Tensor x) : x_(std::move(x)) {
  DG_CHECK(x_.rank() >= 3 && x_.numel() > 0,
           "attention: needs activations [B,...,C] with positions and elements, got shape {}",
           x_.shape());
}

ChannelStats ChannelStats::of_mean(Tensor mean) {
  ChannelStats stats;
  stats.mean_ = std::move(mean);
  return stats;
}

ChannelStats ChannelStats::of(const Tensor& x, Statistics statistics) {
  if (statistics == Statistics::mean) return of_mean(global_avg_pool(x));
  return ChannelStats(x);
}

const Tensor& ChannelStats::mean() const {
  if (!mean_.defined()) mean_ = global_avg_pool(x_);
  return mean_;
}

const Tensor& ChannelStats::std() const {
  if (!std_.defined()) {
    const Tensor& x = input("std");
    const int64_t positions = x.numel() / (x.size(0) * x.size(-1));
    const Tensor variance = var(x, {.axes = position_axes(x), .unbiased = positions > 1});
    std_ = sqrt(affine(variance, 1.0, kEpsilon));
  }
  return std_;
}

const Tensor& ChannelStats::l2_norm() const {
  if (!l2_norm_.defined()) {
    const Tensor& x = input("l2_norm");
    l2_norm_ = sqrt(affine(sum(x * x, {.axes = position_axes(x)}), 1.0, kEpsilon));
  }
  return l2_norm_;
}

const Tensor& ChannelStats::max() const {
  if (!max_.defined()) {
    const Tensor& x = input("max");
    max_ = diagrad::max(x, {.axes = position_axes(x)});
  }
  return max_;
}

const Tensor& ChannelStats::input(const char* statistic) const {
  if (!x_.defined()) {
    fail(ErrorKind::internal,
         "attention: {} was asked for where only the mean is known; a variant that reads it is "
         "registered with .statistics = Statistics::all",
         statistic);
  }
  return x_;
}

}  // namespace diagrad::nn
