#include <algorithm>
#include <type_traits>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/lstm_gates_kernels.h"
#include "diagrad/ops/lstm_gates_math.h"

namespace diagrad {
namespace {

/// Cells per chunk: some 10 microseconds of work.
constexpr int64_t kGrainCells = 4096;

/// Calls body(offset of the row, C) for each row of [B,C] in parallel.
template <typename Body>
void for_each_row(const Tensor& c, Body body) {
  const int64_t columns = c.size(1);
  if (columns == 0) return;
  parallel_for(c.size(0), kGrainCells / columns, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) body(row * columns, columns);
  });
}

/// One row; `gates` may be null.
template <GateOutput kind, typename T>
void forward_row(int64_t n, const T* u, const T* c_prev, T* gates, T* c, T* h) {
  for (int64_t j = 0; j < n; j += kMathLanes<T>) {
    const int64_t count = std::min(kMathLanes<T>, n - j);
    const auto slice = [&](int64_t k) { return load_math(u + k * n + j, count); };
    const LstmGatesElement<kind, MathVec<T>> cell(slice(0), slice(1), slice(2), slice(3),
                                                  load_math(c_prev + j, count));
    store_math(c + j, cell.c, count);
    store_math(h + j, cell.h, count);
    if (gates == nullptr) continue;
    store_math(gates + j, cell.i, count);
    store_math(gates + n + j, cell.f, count);
    store_math(gates + 2 * n + j, cell.g, count);
    store_math(gates + 3 * n + j, cell.o, count);
  }
}

template <GateOutput kind, typename T>
void forward(const LstmGatesForward& pass) {
  const T* const u = pass.u.data<T>();
  const T* const c_prev = pass.c_prev.data<T>();
  T* const gates = pass.gates.defined() ? pass.gates.data<T>() : nullptr;
  T* const c = pass.c.data<T>();
  T* const h = pass.h.data<T>();
  for_each_row(pass.c, [=](int64_t offset, int64_t columns) {
    forward_row<kind, T>(columns, u + 4 * offset, c_prev + offset,
                         gates == nullptr ? nullptr : gates + 4 * offset, c + offset, h + offset);
  });
}

template <GateOutput kind, typename T>
void backward_row(int64_t n, const T* gates, const T* c_prev, const T* c, const T* dh, const T* dc,
                  T* du, T* dc_prev) {
  for (int64_t j = 0; j < n; j += kMathLanes<T>) {
    const int64_t count = std::min(kMathLanes<T>, n - j);
    const auto at = [=](const T* source) { return load_math(source + j, count); };
    const LstmGatesGradient<kind, MathVec<T>> gradient(at(gates), at(gates + n), at(gates + 2 * n),
                                                       at(gates + 3 * n), at(c), at(c_prev), at(dh),
                                                       at(dc));
    store_math(du + j, gradient.u_i, count);
    store_math(du + n + j, gradient.u_f, count);
    store_math(du + 2 * n + j, gradient.u_g, count);
    store_math(du + 3 * n + j, gradient.u_o, count);
    store_math(dc_prev + j, gradient.c_prev, count);
  }
}

template <GateOutput kind, typename T>
void backward(const LstmGatesBackward& pass) {
  const auto or_zeros = [&](const Tensor& gradient) {
    return gradient.defined() ? gradient : Tensor::zeros_like(pass.c);
  };
  const Tensor dh_tensor = or_zeros(pass.dh);
  const Tensor dc_tensor = or_zeros(pass.dc);
  // The row kernel writes every gradient; those that are not needed go to a buffer.
  const Tensor du_tensor = pass.du.defined() ? pass.du : Tensor::empty_like(pass.gates);
  const Tensor dc_prev_tensor = pass.dc_prev.defined() ? pass.dc_prev : Tensor::empty_like(pass.c);
  const T* const gates = pass.gates.data<T>();
  const T* const c_prev = pass.c_prev.data<T>();
  const T* const c = pass.c.data<T>();
  const T* const dh = dh_tensor.data<T>();
  const T* const dc = dc_tensor.data<T>();
  T* const du = du_tensor.data<T>();
  T* const dc_prev = dc_prev_tensor.data<T>();
  for_each_row(pass.c, [=](int64_t offset, int64_t columns) {
    backward_row<kind, T>(columns, gates + 4 * offset, c_prev + offset, c + offset, dh + offset,
                          dc + offset, du + 4 * offset, dc_prev + offset);
  });
}

/// Calls body(constant) with `output` as a constant of the compiler.
template <typename Body>
void dispatch_output(GateOutput output, Body body) {
  switch (output) {
    case GateOutput::sigmoid:
      return body(std::integral_constant<GateOutput, GateOutput::sigmoid>{});
    case GateOutput::tanh:
      return body(std::integral_constant<GateOutput, GateOutput::tanh>{});
    case GateOutput::relu:
      return body(std::integral_constant<GateOutput, GateOutput::relu>{});
  }
}

void forward_cpu(const LstmGatesForward& pass) {
  dispatch_floating(pass.u.dtype(), "lstm_gates", [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_output(pass.output, [&](auto kind) { forward<decltype(kind)::value, T>(pass); });
  });
}

void backward_cpu(const LstmGatesBackward& pass) {
  dispatch_floating(pass.c.dtype(), "lstm_gates backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    dispatch_output(pass.output, [&](auto kind) { backward<decltype(kind)::value, T>(pass); });
  });
}

[[maybe_unused]] const bool registered =
    lstm_gates_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    lstm_gates_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
