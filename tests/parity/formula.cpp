#include "tests/parity/formula.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "diagrad/ops/losses.h"

namespace diagrad::parity {
namespace {

constexpr int kProjections = 16;
constexpr int64_t kSteps = 1000;  ///< of the diffusion

uint64_t fnv(const std::string& name) {
  uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3ULL;
  }
  return hash;
}

/// The index in PyTorch's layout (OIHW) of element k of ours (OHWI); ECA's [1,k,1] needs none.
int64_t torch_index(const Shape& shape, int64_t k) {
  if (shape.rank() != 4) return k;
  const int64_t i = k % shape[3];
  const int64_t w = k / shape[3] % shape[2];
  const int64_t h = k / (shape[3] * shape[2]) % shape[1];
  const int64_t o = k / (shape[3] * shape[2] * shape[1]);
  return ((o * shape[3] + i) * shape[1] + h) * shape[2] + w;
}

/// Output `index` of splitmix64.
uint64_t bits_of(uint64_t seed, int64_t index) {
  uint64_t z = seed + static_cast<uint64_t>(index + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

double uniform_of(uint64_t seed, int64_t index) {
  return static_cast<double>(bits_of(seed, index) >> 11) * 0x1p-52 - 1.0;
}

/// The values of a tensor as a function of u.
std::function<double(double)> formula_of(const std::string& name, const nn::StateDict& state) {
  if (name == "cls_token" || name == "pos_embed") return [](double u) { return 0.25 * u; };
  if (name.ends_with(".gamma")) return [](double u) { return 0.5 + 0.25 * u; };
  // The weight beside a tensor tells which layer owns both.
  const Shape& shape = state.at(name.substr(0, name.rfind('.')) + ".weight").shape();
  if (shape.rank() == 4) {
    const double bound = std::sqrt(6.0 / static_cast<double>(shape[1] * shape[2] * shape[0]));
    return [bound](double u) { return bound * u; };
  }
  if (shape.rank() > 1) {
    const bool wide = name.ends_with("qkv.weight") || name.ends_with("to_q.weight") ||
                      name.ends_with("to_k.weight");
    const double scale = wide ? 2.0 : 1.0;
    const double bound = scale / std::sqrt(static_cast<double>(shape.numel(1, shape.rank())));
    if (name.ends_with("bias")) return [bound](double u) { return bound * (0.75 + 0.25 * u); };
    return [bound](double u) { return bound * u; };
  }
  if (name.ends_with("bn3.weight")) return [](double u) { return 0.25 + 0.125 * u; };
  if (name.ends_with("weight") || name.ends_with("running_var")) {
    return [](double u) { return 1.0 + 0.25 * u; };
  }
  return [](double u) { return 0.125 * u; };
}

template <typename Value>
void fill(const Tensor& tensor, Value value) {
  dispatch_floating(tensor.dtype(), "formula", [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t k = 0; k < tensor.numel(); ++k) tensor.data<T>()[k] = static_cast<T>(value(k));
  });
}

}  // namespace

uint64_t hash_bits(const std::string& name, int64_t index) {
  return bits_of(fnv(name), index);
}

double hash_uniform(const std::string& name, int64_t index) {
  return uniform_of(fnv(name), index);
}

void fill_by_formula(nn::Module& model) {
  const nn::StateDict state = model.state_dict();
  for (const auto& [name, tensor] : state) {
    const uint64_t seed = fnv(name);
    const auto value = formula_of(name, state);
    const Shape shape = tensor.shape();
    fill(tensor, [&](int64_t k) { return value(uniform_of(seed, torch_index(shape, k))); });
  }
}

namespace {

/// Square images of `side` pixels; the formula counts them as NCHW.
Tensor images_by_formula(const std::string& name, int64_t batch, int64_t side, DType dtype) {
  constexpr int64_t kChannels = 3;
  const uint64_t seed = fnv(name);
  Tensor images = Tensor::empty({batch, side, side, kChannels}, dtype);
  fill(images, [&](int64_t k) {
    const int64_t c = k % kChannels;
    const int64_t pixel = k / kChannels % (side * side);
    const int64_t b = k / (kChannels * side * side);
    return uniform_of(seed, (b * kChannels + c) * side * side + pixel);
  });
  return images;
}

/// Whole numbers below `bound`.
Tensor numbers_by_formula(const std::string& name, int64_t batch, int64_t bound) {
  Tensor numbers = Tensor::empty({batch}, DType::i64);
  for (int64_t b = 0; b < batch; ++b) {
    numbers.data<int64_t>()[b] =
        static_cast<int64_t>(hash_bits(name, b) % static_cast<uint64_t>(bound));
  }
  return numbers;
}

}  // namespace

Example example_by_formula(const ExampleSpec& spec, int step, DType dtype) {
  const std::string number = std::to_string(step);
  Example example;
  example.inputs.image = images_by_formula("input#" + number, spec.batch, spec.side, dtype);
  const std::string label = "label#" + number;
  if (!spec.is_diffusion) {
    example.target = numbers_by_formula(label, spec.batch, spec.classes);
    return example;
  }
  example.inputs.time = numbers_by_formula("time#" + number, spec.batch, kSteps).to(dtype);
  if (spec.classes > 0) {
    example.inputs.class_label = numbers_by_formula(label, spec.batch, spec.classes + 1);
  }
  example.target = images_by_formula("target#" + number, spec.batch, spec.side, dtype);
  return example;
}

Tensor loss_of(const Tensor& output, const Example& example) {
  return example.inputs.time.defined() ? mse(output, example.target)
                                       : cross_entropy(output, example.target);
}

std::vector<double> sign_projections(const std::string& name, const Tensor& tensor) {
  const Tensor values = tensor.to(DType::f64).contiguous();
  const uint64_t seed = fnv(name + "#sign");
  std::vector<double> sums(kProjections, 0.0);
  for (int64_t k = 0; k < values.numel(); ++k) {
    const uint64_t signs = bits_of(seed, torch_index(values.shape(), k));
    const double value = values.data<double>()[k];
    for (int j = 0; j < kProjections; ++j) {
      sums[static_cast<size_t>(j)] += (signs >> j & 1) != 0 ? -value : value;
    }
  }
  return sums;
}

TEST_CASE("the formulas give the known answers of the Python side") {
  CHECK(hash_bits("conv1.weight", 0) == 0x8b8a08a85128a1b0ULL);
  CHECK(hash_bits("conv1.weight", 1) == 0xbec2eba82f6f054fULL);
  CHECK(hash_bits("conv1.weight#sign", 0) == 0xb7b25ec7a7f9bfedULL);
  CHECK(hash_uniform("input#0", 0) == 0.9028784338267033);
}

}  // namespace diagrad::parity
