#include "diagrad/train/tasks/classify/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "diagrad/core/text.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/tasks/classify/confusion.h"
#include "diagrad/train/tasks/gallery.h"

namespace diagrad::train {
namespace {

std::string images_text(int64_t count) {
  return fmt::format("{} image{}", thousands(count), count == 1 ? "" : "s");
}

Gallery::Caption caption(const char* label, std::string text, double share, double rest,
                         bool is_good) {
  return {
      .label = label, .text = std::move(text), .share = share, .rest = rest, .is_good = is_good};
}

}  // namespace

ClassifyEvaluator::ClassifyEvaluator(const EvaluatorOptions& options)
    : options_(options), chooser_(options.samples) {
  sums_.values = {0.0};
}

void ClassifyEvaluator::add(nn::Module& model, const data::Batch& batch) {
  const Tensor& labels = batch.target("label").values;
  const Tensor logits = model.call({.image = batch.images});
  const Score part = score(logits, labels);
  count(labels, part, logits.size(1));
  if (options_.keep_outputs) keep(logits, labels);
  if (options_.samples > 0) chooser_.add(logits, labels, batch.indices);
  sums_.examples += labels.numel();
  sums_.loss += part.loss_sum;
  sums_.values[0] += static_cast<double>(part.correct);
}

void ClassifyEvaluator::count(const Tensor& labels, const Score& part, int64_t classes) {
  if (hits_.empty()) {
    const auto size = static_cast<size_t>(classes);
    hits_.resize(size);
    images_.resize(size);
    if (classes <= kMostConfusionClasses) confusion_.assign(size, std::vector<int64_t>(size));
  }
  for (int64_t b = 0; b < labels.numel(); ++b) {
    const auto truth = static_cast<size_t>(labels.data<int64_t>()[b]);
    const auto predicted = static_cast<size_t>(part.predicted[static_cast<size_t>(b)]);
    ++images_[truth];
    if (truth == predicted) ++hits_[truth];
    if (!confusion_.empty()) ++confusion_[truth][predicted];
  }
}

void ClassifyEvaluator::keep(const Tensor& logits, const Tensor& labels) {
  const int64_t classes = logits.size(1);
  if (!logits_.defined()) {
    const int64_t total = options_.set->size();
    logits_ = Tensor::empty({total, classes});
    labels_ = Tensor::empty({total}, DType::i64);
  }
  const int64_t count = labels.numel();
  logits_.strided({count, classes}, {classes, 1}, sums_.examples * classes).copy_(logits.detach());
  labels_.strided({count}, {1}, sums_.examples).copy_(labels);
}

std::map<std::string, Tensor> ClassifyEvaluator::outputs() const {
  if (!logits_.defined()) return {};
  return {{"logits", logits_}, {"labels", labels_}};
}

std::string ClassifyEvaluator::class_name(size_t label) const {
  const std::vector<std::string>& names = options_.set->info().classes;
  return label < names.size() ? names[label] : fmt::format("output {}", label);
}

std::vector<std::string> ClassifyEvaluator::class_names() const {
  std::vector<std::string> names;
  for (size_t k = 0; k < hits_.size(); ++k) names.push_back(class_name(k));
  return names;
}

Matrix ClassifyEvaluator::confusion_block() const {
  return {.title = "Confusion matrix",
          .note = "Rows are true classes, columns predicted ones; a row is shaded by its shares.",
          .key = "confusion",
          .row_heading = "true class",
          .column_heading = "predicted class",
          .names = class_names(),
          .counts = confusion_};
}

Table ClassifyEvaluator::class_block() const {
  Column images{.name = "images"};
  Column accuracy{.name = "accuracy", .key = "per_class", .is_share = true};
  for (size_t k = 0; k < hits_.size(); ++k) {
    images.values.push_back(static_cast<double>(images_[k]));
    accuracy.values.push_back(images_[k] > 0
                                  ? static_cast<double>(hits_[k]) / static_cast<double>(images_[k])
                                  : std::numeric_limits<double>::quiet_NaN());
  }
  return {.title = "Accuracy by class",
          .row_heading = "class",
          .row_names = class_names(),
          .columns = {std::move(images), std::move(accuracy)},
          .is_sorted = true};
}

Gallery ClassifyEvaluator::errors_block() const {
  const SampleChoice choice = chooser_.choice();
  const auto errors = sums_.examples - static_cast<int64_t>(sums_.values[0]);
  const auto shown = static_cast<int64_t>(choice.wrong.size());
  Gallery gallery{.title = "Most confident errors"};
  if (errors == 0) {
    gallery.note = fmt::format("None: all {} were recognised.", images_text(sums_.examples));
  } else {
    gallery.note =
        fmt::format("{} of {} error{} on {}, the most confident first.", shown, thousands(errors),
                    errors == 1 ? "" : "s", images_text(sums_.examples));
  }
  for (const Verdict& verdict : choice.wrong) {
    Gallery::Image image = gallery_image(*options_.set, verdict.index);
    const std::string truth = class_name(static_cast<size_t>(verdict.label));
    const std::string predicted = class_name(static_cast<size_t>(verdict.predicted));
    image.description = fmt::format("{}, predicted as {}", truth, predicted);
    image.captions = {
        caption("predicted", predicted, verdict.probability, verdict.doubt, false),
        caption("true", truth, verdict.label_probability, 1.0 - verdict.label_probability, true)};
    gallery.images.push_back(std::move(image));
  }
  return gallery;
}

Gallery ClassifyEvaluator::right_block() const {
  const SampleChoice choice = chooser_.choice();
  Gallery gallery{.title = "Most confident right predictions"};
  gallery.note = choice.right.empty() ? "None: no image was recognised."
                                      : fmt::format("The most confident one of {} of {} classes.",
                                                    choice.right.size(), hits_.size());
  for (const Verdict& verdict : choice.right) {
    Gallery::Image image = gallery_image(*options_.set, verdict.index);
    image.description = class_name(static_cast<size_t>(verdict.label));
    image.captions = {
        caption("true", image.description, verdict.label_probability, verdict.doubt, true)};
    gallery.images.push_back(std::move(image));
  }
  return gallery;
}

std::vector<Block> ClassifyEvaluator::blocks() const {
  std::vector<Block> all = {confusion_block(), class_block()};
  if (!confusion_.empty()) all.emplace_back(pairs_block(confusion_, class_names()));
  if (options_.samples > 0 && sums_.examples > 0) {
    all.emplace_back(errors_block());
    all.emplace_back(right_block());
  }
  return all;
}

}  // namespace diagrad::train
