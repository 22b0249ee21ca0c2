#include "diagrad/data/mix.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/core/threads.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

constexpr int64_t kH = 6;
constexpr int64_t kW = 10;
constexpr int64_t kC = 3;

Batch batch_of(int64_t count, const Shape& image = {kH, kW, kC}) {
  RandomStream random(3, stream_id("images"));
  Batch batch;
  batch.images = normal({count, image[0], image[1], image[2]}, 0.0, 1.0, random);
  for (int64_t b = 0; b < count; ++b) batch.indices.push_back(b);
  const Tensor labels = Tensor::arange(count);
  batch.targets.push_back({.name = "label", .values = labels, .offsets = Tensor()});
  return batch;
}

float at(const Tensor& images, int64_t b, int64_t y, int64_t x, int64_t c) {
  const int64_t place = ((b * images.size(1) + y) * images.size(2) + x) * images.size(3) + c;
  return images.data<float>()[place];
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.raw_data(), b.raw_data(), static_cast<size_t>(a.numel()) * 4) == 0;
}

/// Each pixel of the mixed images, from the draw and the images alone.
void check_mixed(const Batch& batch, const Batch& mixed, const MixDraw& draw) {
  const int64_t count = batch.size();
  REQUIRE(mixed.own_share == draw.own_share);
  REQUIRE(mixed.images.shape() == batch.images.shape());
  const Shape& shape = batch.images.shape();
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t y = 0; y < shape[1]; ++y) {
      for (int64_t x = 0; x < shape[2]; ++x) {
        const bool in_box = y >= draw.top && y < draw.bottom && x >= draw.left && x < draw.right;
        for (int64_t c = 0; c < shape[3]; ++c) {
          const float own = at(batch.images, b, y, x, c);
          const float partner = at(batch.images, count - 1 - b, y, x, c);
          const float value = at(mixed.images, b, y, x, c);
          if (draw.is_cutmix) {
            REQUIRE(value == (in_box ? partner : own));
          } else {
            REQUIRE(value ==
                    doctest::Approx(draw.own_share * own + (1.0 - draw.own_share) * partner)
                        .epsilon(1e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("mixup averages an image and its partner, cutmix takes a box of the partner") {
  for (const int64_t count : {1, 2, 5, 8}) {
    const Batch batch = batch_of(count);
    const Tensor before = batch.images.clone();
    for (const MixOptions& options : {MixOptions{.mixup = 0.8}, MixOptions{.cutmix = 1.0},
                                      MixOptions{.mixup = 1, .cutmix = 1}}) {
      for (int64_t number = 0; number < 20; ++number) {
        CAPTURE(count);
        CAPTURE(number);
        const MixDraw draw = draw_mix(options, {kH, kW}, number);
        const Batch mixed = mix(batch, options, number);
        check_mixed(batch, mixed, draw);
        CHECK(mixed.indices == batch.indices);
        CHECK(mixed.target("label").values.data<int64_t>()[0] == 0);
        CHECK(same_bits(batch.images, before));
        CHECK_FALSE(batch.own_share.has_value());
      }
    }
  }
}

TEST_CASE("the middle image of an odd batch, and a batch of one, keep their bits") {
  for (const int64_t count : {1, 3, 7}) {
    const Batch batch = batch_of(count);
    for (int64_t number = 0; number < 10; ++number) {
      const Batch mixed = mix(batch, {.mixup = 1.0}, number);
      for (int64_t i = 0; i < kH * kW * kC; ++i) {
        const int64_t place = count / 2 * kH * kW * kC + i;
        REQUIRE(mixed.images.data<float>()[place] == batch.images.data<float>()[place]);
      }
    }
  }
}

TEST_CASE("lambda of cutmix is the area that the clipped box leaves, images not square") {
  int clipped = 0;
  int empty = 0;
  std::set<int64_t> tops;
  std::set<int64_t> lefts;
  for (int64_t number = 0; number < 2000; ++number) {
    const MixDraw draw = draw_mix({.cutmix = 1.0, .seed = 9}, {kH, kW}, number);
    REQUIRE(draw.is_cutmix);
    REQUIRE((draw.top >= 0 && draw.bottom <= kH && draw.left >= 0 && draw.right <= kW));
    REQUIRE((draw.top <= draw.bottom && draw.left <= draw.right));
    const int64_t height = draw.bottom - draw.top;
    const int64_t width = draw.right - draw.left;
    const double share = 1.0 - static_cast<double>(height * width) / (kH * kW);
    REQUIRE(draw.own_share == share);
    const bool at_edge = draw.top == 0 || draw.bottom == kH || draw.left == 0 || draw.right == kW;
    if (!at_edge && height > 0 && width > 0) {
      // Sides of one share of the image's, each rounded down twice.
      REQUIRE(std::abs(static_cast<double>(height) / kH - static_cast<double>(width) / kW) <
              2.0 / kH);
    }
    clipped += at_edge ? 1 : 0;
    empty += height * width == 0 ? 1 : 0;
    tops.insert(draw.top);
    lefts.insert(draw.left);
  }
  CHECK(clipped > 500);
  CHECK(empty < 500);
  CHECK(tops.size() >= 5);
  CHECK(lefts.size() >= 9);
}

TEST_CASE("the mean area of a box, which is uniform before it is clipped at a uniform centre") {
  // With r for the root of the area, the mean over r^2 in [0, 1] of (r - r^2 / 4)^2.
  const double expected = 1.0 / 2.0 - 1.0 / 5.0 + 1.0 / 48.0;
  double sum = 0.0;
  constexpr int kCount = 8000;
  for (int64_t number = 0; number < kCount; ++number) {
    sum += 1.0 - draw_mix({.cutmix = 1.0}, {1000, 3000}, number).own_share;
  }
  CHECK(std::abs(sum / kCount - expected) < 0.012);
}

TEST_CASE("lambda of mixup follows a symmetric Beta distribution, alpha large or tiny") {
  for (const double alpha : {1e-3, 0.2, 0.8, 1.0, 2.0, 50.0}) {
    CAPTURE(alpha);
    double sum = 0.0;
    double squares = 0.0;
    constexpr int kCount = 8000;
    for (int64_t number = 0; number < kCount; ++number) {
      const MixDraw draw = draw_mix({.mixup = alpha}, {kH, kW}, number);
      REQUIRE_FALSE(draw.is_cutmix);
      REQUIRE((draw.own_share >= 0.0 && draw.own_share <= 1.0));
      sum += draw.own_share;
      squares += (draw.own_share - 0.5) * (draw.own_share - 0.5);
    }
    CHECK(std::abs(sum / kCount - 0.5) < 0.02);
    const double variance = 0.25 / (2.0 * alpha + 1.0);
    CHECK(std::abs(squares / kCount / variance - 1.0) < 0.06);
  }
}

TEST_CASE("where both are on, cutmix gets its share of the batches; an alpha of 0 is off") {
  const auto share = [](const MixOptions& options) {
    int count = 0;
    for (int64_t number = 0; number < 4000; ++number) {
      count += draw_mix(options, {kH, kW}, number).is_cutmix ? 1 : 0;
    }
    return count / 4000.0;
  };
  CHECK(std::abs(share({.mixup = 1, .cutmix = 1}) - 0.5) < 0.03);
  CHECK(std::abs(share({.mixup = 1, .cutmix = 1, .cutmix_share = 0.1}) - 0.1) < 0.02);
  CHECK(share({.mixup = 1, .cutmix = 1, .cutmix_share = 0.0}) == 0.0);
  CHECK(share({.mixup = 1, .cutmix = 1, .cutmix_share = 1.0}) == 1.0);
  CHECK(share({.mixup = 1, .cutmix = 0, .cutmix_share = 1.0}) == 0.0);
  CHECK(share({.mixup = 0, .cutmix = 1, .cutmix_share = 0.0}) == 1.0);
  CHECK_FALSE(MixOptions{}.is_on());
  CHECK(MixOptions{.mixup = 0.1}.is_on());
  CHECK(MixOptions{.cutmix = 0.1}.is_on());
  CHECK(MixOptions{}.cutmix_share == 0.5);
  CHECK(MixOptions{}.seed == 0);
  CHECK(testing::error_message([] { mix(batch_of(2), {}, 0); }) ==
        "mix: mixup and cutmix are both 0");
}

TEST_CASE("a mixture is a function of seed and batch number, the same bits for any threads") {
  const Batch batch = batch_of(37, {9, 7, 1});
  const MixOptions options{.mixup = 0.8, .cutmix = 1.0, .seed = 4};
  const int threads = num_threads();
  std::set<double> shares;
  for (int64_t number = 0; number < 12; ++number) {
    set_num_threads(1);
    const Batch alone = mix(batch, options, number);
    shares.insert(*alone.own_share);
    for (const int count : {1, 2, 3}) {
      set_num_threads(count);
      const Batch again = mix(batch, options, number);
      CHECK(same_bits(again.images, alone.images));
      CHECK(again.own_share == alone.own_share);
    }
    CHECK(draw_mix({.mixup = 0.8, .seed = 5}, {9, 7}, number).own_share !=
          draw_mix({.mixup = 0.8, .seed = 4}, {9, 7}, number).own_share);
  }
  set_num_threads(threads);
  CHECK(shares.size() == 12);
}

TEST_CASE("images of another type or rank are not mixed") {
  Batch batch = batch_of(2);
  batch.images = batch.images.to(DType::f64);
  CHECK(testing::error_message([&] { mix(batch, {.mixup = 1.0}, 0); }) ==
        "mix: images are f64 [2,6,10,3], expected contiguous f32 [B,H,W,C]");
}

}  // namespace
}  // namespace diagrad::data
