#include "tests/support/unet_nets.h"

#include "diagrad/core/random.h"

namespace diagrad::testing {
namespace {

bool is_zero(const Tensor& x) {
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (x.data<float>()[i] != 0.0F) return false;
  }
  return true;
}

}  // namespace

models::UnetOptions small_unet_options() {
  models::UnetOptions options;
  options.base = 4;
  options.mult = {1, 2};
  options.blocks = 1;
  options.attn = {4};
  options.input = 8;
  return options;
}

void fill_zero_parameters(nn::Module& model, uint64_t seed) {
  RandomStream random(seed, stream_id("zeros"));
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    if (!is_zero(parameter.tensor)) continue;
    for (int64_t i = 0; i < parameter.tensor.numel(); ++i) {
      parameter.tensor.data<float>()[i] = static_cast<float>(random.uniform(-0.4, 0.4));
    }
  }
}

std::shared_ptr<nn::Module> small_unet(const std::string& attention, const std::string& sharing,
                                       uint64_t seed) {
  models::UnetOptions options = small_unet_options();
  options.attention = attention;
  options.sharing = sharing;
  options.seed = seed;
  auto model = models::make_unet(options);
  fill_zero_parameters(*model, seed);
  return model;
}

int64_t parameter_count(const nn::Module& model) {
  int64_t count = 0;
  for (const auto& parameter : model.named_parameters()) count += parameter.tensor.numel();
  return count;
}

nn::Inputs noisy_inputs(int64_t batch, const Shape& image, DType dtype) {
  Shape shape = image;
  shape.insert(0, batch);
  RandomStream random(7, stream_id("images"));
  nn::Inputs inputs{.image = uniform(shape, -1.0, 1.0, random, dtype),
                    .time = Tensor::empty({batch}, DType::f64)};
  for (int64_t b = 0; b < batch; ++b) {
    inputs.time.data<double>()[b] = 100.0 * static_cast<double>(b + 1) + 0.5;
  }
  return inputs;
}

}  // namespace diagrad::testing
