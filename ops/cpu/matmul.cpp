#include "diagrad/core/dtype.h"
#include "diagrad/ops/cpu/gemm/gemm.h"
#include "diagrad/ops/matmul_kernels.h"

namespace diagrad {
namespace {

void matrix_product_cpu(const MatrixProduct& p) {
  dispatch_floating(p.c.dtype(), "matmul", [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::Gemm<T> product;
    product.m = p.m;
    product.n = p.n;
    product.k = p.k;
    product.a = p.a.tensor.data<T>();
    product.a_stride = p.a.stride;
    product.transpose_a = p.a.transposed;
    product.b = p.b.tensor.data<T>();
    product.b_stride = p.b.stride;
    product.transpose_b = p.b.transposed;
    product.c = p.c.data<T>();
    product.c_stride = p.c_stride;
    product.bias = p.bias.defined() ? p.bias.data<T>() : nullptr;
    product.accumulate = p.accumulate;
    kernels::gemm_batch<T>(product, p.batch);
  });
}

[[maybe_unused]] const bool registered =
    matrix_product_kernel.set(DeviceType::cpu, matrix_product_cpu);

}  // namespace
}  // namespace diagrad
