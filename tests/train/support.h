#pragma once

#include <functional>
#include <string>
#include <vector>

#include "diagrad/data/dataset.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/listener.h"
#include "tests/data/support.h"

namespace diagrad::testing {

/// logits = flatten(images) w^T + b, with small random weights.
class LinearNet : public nn::Module {
 public:
  LinearNet(const Shape& image, int64_t classes, uint64_t seed, DType dtype = DType::f32);
  Tensor forward(const Tensor& images) override;

 private:
  Tensor weight_;
  Tensor bias_;
};

/// Convolution, batch norm and ReLU, dropout, the mean over the image, a linear layer: everything
/// that keeps statistics or draws masks.
class ConvNet : public nn::Module {
 public:
  ConvNet(const Shape& image, int64_t classes, uint64_t seed);
  Tensor forward(const Tensor& images) override;

 private:
  Tensor filter_;
  Tensor gamma_;
  Tensor beta_;
  Tensor mean_;
  Tensor variance_;
  Tensor weight_;
};

/// A job for LinearNet on 36 small shapes: 5 batches of 8 images per epoch, the last one not
/// full; SGD with momentum.
train::TrainJob small_job(const std::string& out);

/// Keeps what it hears; `act` is called after each step.
class Recorder : public train::TrainListener {
 public:
  std::function<void(const train::StepRow&)> act;
  std::function<void(int64_t done)> act_on_evaluate;
  std::vector<train::StepRow> steps;
  std::vector<train::EpochRow> epochs;
  std::vector<train::Evaluation> evaluations;
  train::TrainResult result;
  std::vector<std::string> messages;
  std::vector<std::string> failures;
  train::TrainStart start;

  void on_start(const train::TrainStart& s) override { start = s; }
  void on_step(const train::StepRow& row) override {
    steps.push_back(row);
    if (act) act(row);
  }
  void on_evaluate(const std::string& /*set*/, int64_t done, int64_t /*total*/) override {
    if (act_on_evaluate) act_on_evaluate(done);
  }
  void on_evaluation(const train::EpochRow& /*row*/, const train::Evaluation& evaluation) override {
    evaluations.push_back(evaluation);
  }
  void on_epoch(const train::EpochRow& row, bool /*best*/) override { epochs.push_back(row); }
  void on_result(const train::TrainResult& given) override { result = given; }
  void on_message(const std::string& text) override { messages.push_back(text); }
  void on_fail(const Error& error, int64_t /*step*/) override {
    failures.emplace_back(error.what());
  }
};

/// events.jsonl without the seconds, which no run repeats.
std::string events_of(const std::string& run);

}  // namespace diagrad::testing
