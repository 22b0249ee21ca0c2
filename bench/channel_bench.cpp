// The operations that memory limits, in GB/s of the tensors they must read and write, beside a
// copy and a sum of the same size. Gradients are timed through a retained graph.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <functional>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/lstm_gates.h"
#include "diagrad/ops/pool.h"

namespace diagrad {
namespace {

Tensor values(const Shape& shape) {
  RandomStream random(1, stream_id("bench"));
  return uniform(shape, 0.1, 1.0, random);
}

Tensor leaf(const Shape& shape) {
  return values(shape).set_requires_grad(true);
}

/// `passes` is how often a tensor of this shape must be read or written.
struct Job {
  const char* name;
  int passes;
  std::function<std::function<void()>(const Shape&)> prepare;
};

std::function<void()> forward_of(const std::function<Tensor()>& op) {
  return [=] {
    const NoGrad no_grad;
    benchmark::DoNotOptimize(op().raw_data());
  };
}

std::function<void()> backward_of(const Tensor& y, const std::vector<Tensor>& inputs) {
  return [=, dy = values(y.shape())] {
    const std::vector<Tensor> gradients =
        autograd::grad(std::vector<Tensor>{y}, inputs, std::vector<Tensor>{dy}, {true});
    benchmark::DoNotOptimize(gradients.front().raw_data());
  };
}

struct Norm {
  explicit Norm(const Shape& shape)
      : x(leaf(shape)), gamma(leaf({shape.back()})), beta(leaf({shape.back()})) {}
  Tensor operator()(bool relu) const {
    return (relu ? batch_norm_relu : batch_norm)(x, gamma, beta, {}, {}, {.training = true});
  }
  Tensor x, gamma, beta;
};

struct Scale {
  explicit Scale(const Shape& shape)
      : x(leaf(shape)), s(leaf({shape[0], shape.back()})), residual(leaf(shape)) {}
  Tensor operator()() const { return channel_scale_add_relu(x, s, residual); }
  Tensor x, s, residual;
};

const std::vector<Job>& jobs() {
  static const std::vector<Job> all{
      {"copy", 2,
       [](const Shape& shape) -> std::function<void()> {
         const Tensor x = values(shape);
         const Tensor y = Tensor::empty_like(x);
         return [=] {
           elementwise<float, float>(
               y, [](float v) { return v + 1.0F; }, x);
         };
       }},
      {"batch_norm forward", 3,
       [](const Shape& shape) { return forward_of([n = Norm(shape)] { return n(false); }); }},
      {"batch_norm backward", 5,
       [](const Shape& shape) {
         const Norm n(shape);
         return backward_of(n(false), {n.x, n.gamma, n.beta});
       }},
      {"batch_norm_relu backward", 5,
       [](const Shape& shape) {
         const Norm n(shape);
         return backward_of(n(true), {n.x, n.gamma, n.beta});
       }},
      {"channel_scale_add_relu forward", 3,
       [](const Shape& shape) { return forward_of(Scale(shape)); }},
      {"channel_scale_add_relu backward", 5,
       [](const Shape& shape) {
         const Scale s(shape);
         return backward_of(s(), {s.x, s.s, s.residual});
       }},
      {"global_avg_pool forward", 1,
       [](const Shape& shape) {
         return forward_of([x = values(shape)] { return global_avg_pool(x); });
       }},
  };
  return all;
}

/// Bytes are per iteration of `run`.
void measure(benchmark::State& state, int threads, double bytes, const std::function<void()>& run) {
  const int before = num_threads();
  set_num_threads(threads);
  run();
  for (auto _ : state) run();
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  set_num_threads(before);
}

void gates(benchmark::State& state, int threads, int64_t batch, int64_t channels) {
  const Tensor u = values({batch, 4 * channels});
  const Tensor c = values({batch, channels});
  measure(state, threads, 7.0 * 4.0 * static_cast<double>(batch * channels),
          forward_of([=] { return lstm_gates(u, c).h; }));
}

[[maybe_unused]] const bool registered = [] {
  for (const int threads : {1, 2}) {
    for (const Shape& shape : {Shape{128, 32, 32, 16}, Shape{128, 16, 16, 32}, Shape{128, 8, 8, 64},
                               Shape{64, 32, 32, 64}, Shape{64, 8, 8, 256}}) {
      for (const Job& job : jobs()) {
        benchmark::RegisterBenchmark(fmt::format("{} {} {}", job.name, shape, threads).c_str(),
                                     [&job, shape, threads](benchmark::State& state) {
                                       const double bytes =
                                           4.0 * job.passes * static_cast<double>(shape.numel());
                                       measure(state, threads, bytes, job.prepare(shape));
                                     })
            ->UseRealTime();
      }
    }
    for (const int64_t channels : {16, 64, 256}) {
      benchmark::RegisterBenchmark(
          fmt::format("lstm_gates forward [128,{}] {}", channels, threads).c_str(),
          [=](benchmark::State& state) { gates(state, threads, 128, channels); })
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace diagrad
