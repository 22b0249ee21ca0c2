// A network with a variant of one's own, made by name, and one step of training. Ends with 1 where
// the variant is not listed, has no gradient, or the step does not lower the loss.
#include <algorithm>
#include <cstdio>

#include "diagrad/autograd/engine.h"
#include "diagrad/data/loader.h"
#include "diagrad/data/shapes.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/optim/sgd.h"

using namespace diagrad;

int main() {
  const auto& variants = nn::attention_variants();
  const bool listed = std::any_of(variants.begin(), variants.end(),
                                  [](const auto& info) { return info.name == "my-gate"; });
  const auto model =
      models::create("resnet20", {.classes = 10, .input = {32, 32, 3}, .attention = "my-gate"});

  data::Loader loader(data::make_shapes({}).train, {.batch = 16});
  data::Batch batch;
  loader.start(0);
  loader.next(batch);
  train::Sgd optimizer({{model->named_parameters()}}, {});
  const Tensor before = cross_entropy(model->forward(batch.images), batch.target("label").values);
  backward(before);
  optimizer.step(/*lr=*/0.01);
  const Tensor after = cross_entropy(model->forward(batch.images), batch.target("label").values);

  int with_gradient = 0;
  for (const auto& [name, parameter] : model->named_parameters()) {
    if (name.find("attention") != std::string::npos && parameter.grad().defined()) ++with_gradient;
  }
  std::printf("my-gate is %s; loss %.4f, after a step %.4f; %d of its parameters have gradients\n",
              listed ? "listed" : "missing", before.item(), after.item(), with_gradient);
  return listed && after.item() < before.item() && with_gradient > 0 ? 0 : 1;
}
