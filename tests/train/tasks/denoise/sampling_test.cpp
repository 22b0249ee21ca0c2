#include "diagrad/train/tasks/denoise/sampling.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/threads.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/unary.h"
#include "tests/support/op_case.h"
#include "tests/train/tasks/denoise/gaussian.h"

namespace diagrad::train {
namespace {

using testing::error_message;
using testing::Gaussian;

using Steps = std::vector<int64_t>;

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous();
  const Tensor y = b.contiguous();
  return x.shape() == y.shape() && x.dtype() == y.dtype() &&
         std::memcmp(x.raw_data(), y.raw_data(),
                     static_cast<size_t>(x.numel() * size_of(x.dtype()))) == 0;
}

TEST_CASE("the steps of each spacing, from the noisiest") {
  CHECK(sampling_steps(10, 5, Spacing::leading) == Steps{8, 6, 4, 2, 0});
  CHECK(sampling_steps(10, 5, Spacing::linspace) == Steps{9, 7, 5, 2, 0});
  CHECK(sampling_steps(10, 5, Spacing::trailing) == Steps{9, 7, 5, 3, 1});
  CHECK(sampling_steps(10, 4, Spacing::leading) == Steps{7, 5, 2, 0});
  CHECK(sampling_steps(10, 4, Spacing::linspace) == Steps{9, 6, 3, 0});
  CHECK(sampling_steps(10, 4, Spacing::trailing) == Steps{9, 7, 4, 2});
  CHECK(sampling_steps(1000, 1, Spacing::leading) == Steps{0});
  CHECK(sampling_steps(1000, 1, Spacing::linspace) == Steps{999});
  CHECK(sampling_steps(1000, 1, Spacing::trailing) == Steps{999});
  CHECK(sampling_steps(1, 1, Spacing::linspace) == Steps{0});
  for (const Spacing spacing : {Spacing::leading, Spacing::linspace, Spacing::trailing}) {
    CHECK(parse_spacing(name(spacing)) == spacing);
  }
  CHECK(error_message([] { parse_spacing("even"); }) ==
        "spacing: 'even' is none of leading, linspace, trailing");
}

TEST_CASE("any number of steps up to the schedule's falls strictly and stays inside") {
  for (const Spacing spacing : {Spacing::leading, Spacing::linspace, Spacing::trailing}) {
    for (int64_t count = 1; count <= 1000; ++count) {
      const Steps steps = sampling_steps(1000, count, spacing);
      bool falls = std::ssize(steps) == count && steps.front() <= 999 && steps.back() >= 0;
      for (size_t i = 1; i < steps.size(); ++i) falls = falls && steps[i] < steps[i - 1];
      CAPTURE(name(spacing));
      CAPTURE(count);
      CHECK(falls);
      if (spacing == Spacing::leading) {
        CHECK(steps.back() == 0);
      } else {
        CHECK(steps.front() == 999);  // few steps visit the last step, too
      }
      if (spacing == Spacing::linspace && count > 1) CHECK(steps.back() == 0);
    }
  }
}

TEST_CASE("no steps, or more than the schedule has, are refused in one line") {
  const auto refused = [](int64_t steps) {
    return error_message([&] { sampling_steps(1000, steps, Spacing::trailing); });
  };
  CHECK(refused(0) == "steps: 0 steps of sampling, the schedule has 1000; use 1 to 1000");
  CHECK(refused(1001) == "steps: 1001 steps of sampling, the schedule has 1000; use 1 to 1000");
  CHECK(refused(-1) == "steps: -1 steps of sampling, the schedule has 1000; use 1 to 1000");
}

TEST_CASE("guidance 1 is the conditional net and 0 the unconditional one, bit for bit") {
  int64_t with_calls = 0;
  int64_t without_calls = 0;
  const Denoiser with = [&](const Tensor& x, int64_t t) {
    ++with_calls;
    return affine(x, 0.3, 0.1 * static_cast<double>(t));
  };
  const Denoiser without = [&](const Tensor& x, int64_t) {
    ++without_calls;
    return affine(x, 0.7, 0.2);
  };
  RandomStream random(1, 2);
  const Tensor x = normal({2, 3}, 0.0, 1.0, random);
  CHECK(same_bits(guided(with, without, 1.0)(x, 3), with(x, 3)));
  CHECK(without_calls == 0);
  with_calls = 0;
  CHECK(same_bits(guided(with, without, 0.0)(x, 3), without(x, 3)));
  CHECK(with_calls == 0);
  const Tensor three = guided(with, without, 3.0)(x, 2);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double c = 0.3 * x.data<float>()[i] + 0.2;
    const double u = 0.7 * x.data<float>()[i] + 0.2;
    CHECK(three.data<float>()[i] == doctest::Approx(u + 3.0 * (c - u)).epsilon(1e-5));
  }
  CHECK(same_bits(guided(with, nullptr, 1.0)(x, 3), with(x, 3)));
  CHECK(error_message([&] { guided(with, nullptr, 3.0); }) ==
        "guidance: 3 needs a net that was trained with a null class; use 1");
  CHECK_FALSE(error_message([&] { guided(with, nullptr, 0.0); }).empty());
}

TEST_CASE("the noise of an image depends on seed, image and draw alone") {
  const Shape image = {2, 3, 1};
  const auto noise = [&](const Steps& images, uint64_t draw, uint64_t seed = 4) {
    return image_noise("sample", seed, images, draw, image, DType::f64);
  };
  const Tensor all = noise({0, 1, 2}, 1);
  CHECK(all.shape() == Shape{3, 2, 3, 1});
  CHECK(same_bits(slice(all, 0, 2, 3), noise({2}, 1)));
  CHECK(same_bits(slice(all, 0, 0, 1), noise({0}, 1)));
  std::set<double> different;
  for (const Tensor& x : {all, noise({0, 1, 2}, 2), noise({0, 1, 2}, 1, 5),
                          image_noise("other", 4, Steps{0, 1, 2}, 1, image, DType::f64)}) {
    for (int64_t i = 0; i < x.numel(); ++i) different.insert(x.data<double>()[i]);
  }
  CHECK(different.size() == 4 * 18);
}

SamplingOptions options_for(Steps images, DType dtype = DType::f32) {
  return {.image = {5, 3, 2}, .images = std::move(images), .seed = 3, .steps = 7, .dtype = dtype};
}

TEST_CASE("batches, threads and an earlier sampling change no bit") {
  const NoiseSchedule schedule = NoiseSchedule::cosine(40);
  const Denoiser net = Gaussian{0.3, 0.4}.denoiser(schedule, DenoiseTarget::v);
  const int before = num_threads();
  for (const char* text : {"ddim", "ddim:eta=1", "ddpm:variance=large", "dpm-solver++"}) {
    CAPTURE(text);
    const auto sampler = make_sampler(text);
    const auto run = [&](Steps images) {
      return sample(net, DenoiseTarget::v, schedule, *sampler, options_for(std::move(images)));
    };
    const Tensor all = run({0, 1, 2, 3, 4, 5, 6});
    CHECK(same_bits(run({0, 1, 2, 3, 4, 5, 6}), all));
    for (int64_t i = 0; i < 7; ++i) CHECK(same_bits(run({i}), slice(all, 0, i, i + 1)));
    CHECK(same_bits(run({4, 5, 6}), slice(all, 0, 4, 7)));
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      CHECK(same_bits(run({0, 1, 2, 3, 4, 5, 6}), all));
    }
    set_num_threads(before);
  }
}

TEST_CASE("a sampler visits the listed steps, clips predictions and records no graph") {
  const NoiseSchedule schedule = NoiseSchedule::linear(100);
  Steps visited;
  const Denoiser net = [&](const Tensor& x, int64_t t) {
    visited.push_back(t);
    CHECK_FALSE(grad_enabled());
    return Tensor::full(x.shape(), 3.0, x.dtype());
  };
  SamplingOptions options = options_for({0, 1});
  const auto sampler = make_sampler("ddim");
  const Tensor clipped = sample(net, DenoiseTarget::x0, schedule, *sampler, options);
  CHECK(visited == sampling_steps(100, 7, Spacing::trailing));
  CHECK(clipped.dtype() == DType::f32);
  for (int64_t i = 0; i < clipped.numel(); ++i) CHECK(clipped.data<float>()[i] == 1.0F);
  options.clip = false;
  const Tensor free = sample(net, DenoiseTarget::x0, schedule, *sampler, options);
  for (int64_t i = 0; i < free.numel(); ++i) CHECK(free.data<float>()[i] == 3.0F);
  options.steps = 101;
  CHECK_FALSE(
      error_message([&] { sample(net, DenoiseTarget::x0, schedule, *sampler, options); }).empty());
  const Denoiser wrong = [](const Tensor&, int64_t) { return Tensor::zeros({2, 10}); };
  CHECK(error_message([&] {
          sample(wrong, DenoiseTarget::x0, schedule, *sampler, options_for({0, 1}));
        }) == "sample: the net gives [2,10] for noisy images [2,5,3,2]");
}

TEST_CASE("v samples from zero terminal SNR, epsilon is refused there") {
  const NoiseSchedule schedule = NoiseSchedule::linear(1000).with_zero_terminal_snr();
  for (const char* text : {"ddim", "ddpm", "dpm-solver++"}) {
    CAPTURE(text);
    SamplingOptions options = options_for({0}, DType::f64);
    options.clip = false;
    const Tensor x = sample(Gaussian{0.6, 0.0}.denoiser(schedule, DenoiseTarget::v),
                            DenoiseTarget::v, schedule, *make_sampler(text), options);
    for (int64_t i = 0; i < x.numel(); ++i) {
      CHECK(x.data<double>()[i] == doctest::Approx(0.6).epsilon(1e-12));
    }
    CHECK(error_message([&] {
            sample(Gaussian{0.6, 0.0}.denoiser(schedule, DenoiseTarget::epsilon),
                   DenoiseTarget::epsilon, schedule, *make_sampler(text), options);
          }).find("denoise: epsilon says nothing of the image") == 0);
  }
}

}  // namespace
}  // namespace diagrad::train
