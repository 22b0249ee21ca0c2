// A first net: two convolutions learn to name shapes in some seconds. The loss of the last epoch
// should be below 0.5; the exit code says whether it is. Run it: build/release/examples/first_net
#include <cstdio>

#include "diagrad/autograd/engine.h"
#include "diagrad/data/loader.h"
#include "diagrad/data/shapes.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/train/optim/adamw.h"
#include "diagrad/train/run/evaluate.h"

using namespace diagrad;

class FirstNet : public nn::Module {
 public:
  explicit FirstNet(RandomStream random)
      : low_(add("low", nn::Conv2d({.in_channels = 3, .out_channels = 16, .kernel = 5}, random))),
        mid_(add("mid", nn::Conv2d({.in_channels = 16, .out_channels = 32, .kernel = 5}, random))),
        fc_(add("fc", nn::Linear({.in_features = 5 * 5 * 32, .out_features = 10}, random))) {}

  Tensor forward(const Tensor& images) override {                       // [B,32,32,3]
    Tensor x = max_pool2d(relu(low_->forward(images)), {.kernel = 2});  // [B,14,14,16]
    x = max_pool2d(relu(mid_->forward(x)), {.kernel = 2});              // [B,5,5,32]
    return fc_->forward(flatten(x));                                    // [B,10], logits
  }

 private:
  std::shared_ptr<nn::Conv2d> low_, mid_;
  std::shared_ptr<nn::Linear> fc_;
};

int main() {
  const data::DatasetSplits sets = data::make_shapes({});
  data::Loader loader(sets.train, {.batch = 50, .shuffle = true});
  FirstNet net(RandomStream(/*seed=*/0, stream_id("weights")));
  train::Adamw optimizer({{net.named_parameters()}}, {});
  const auto classify = train::make_task("classify");

  double mean_loss = 0.0;
  for (int epoch = 1; epoch <= 5; ++epoch) {
    loader.start(epoch);
    mean_loss = 0.0;
    for (data::Batch batch; loader.next(batch);) {
      const Tensor loss = cross_entropy(net.forward(batch.images), batch.target("label").values);
      optimizer.zero_grad();
      backward(loss);
      optimizer.step(/*lr=*/1e-3);
      mean_loss += loss.item() / 100;  // of 5000 / 50 batches
    }
    const train::Evaluation result = train::evaluate(*classify, net, sets.test, {});
    const double right = 100 * result.metric("accuracy");
    std::printf("epoch %d: loss %.3f, %.1f %% of new shapes right\n", epoch, mean_loss, right);
  }
  return mean_loss < 0.5 ? 0 : 1;
}
