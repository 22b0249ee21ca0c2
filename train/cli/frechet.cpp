#include "diagrad/train/cli/frechet.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/core/random.h"
#include "diagrad/core/text.h"
#include "diagrad/data/identity.h"
#include "diagrad/data/registry.h"
#include "diagrad/train/quality/classifier_features.h"
#include "diagrad/train/quality/frechet.h"
#include "diagrad/train/quality/generated_images.h"
#include "diagrad/train/run/format.h"

namespace diagrad::cli {
namespace {

using train::ClassifierFeatures;
using train::Moments;
using train::TrainedModel;

/// With fewer, the covariance is mostly noise.
constexpr int64_t kImagesPerFeature = 4;

void show(Console& console, const std::string& status) {
  console.status(status.substr(0, std::max<size_t>(console.width(), 1) - 1));
}

data::DatasetSplits open_with_notes(const std::string& text, Console& console) {
  data::DatasetSplits splits = data::open_dataset(text);
  for (const std::string& note : splits.notes) console.note(note);
  return splits;
}

/// A fixed random choice, as a set may be sorted by class; in the order of the set.
data::DatasetPtr choose(const data::DatasetPtr& set, int64_t count) {
  DG_CHECK(count <= set->size(), "count: {} images, {} has {}", count, set->info().name,
           set->size());
  if (count == 0 || count == set->size()) return set;
  RandomStream random(0, stream_id("frechet images"));
  std::vector<int64_t> numbers = permutation(set->size(), random);
  numbers.resize(static_cast<size_t>(count));
  std::sort(numbers.begin(), numbers.end());
  return data::subset(set, std::move(numbers));
}

/// The training images of `--reference`, else of the data of the classifier's run.
data::DatasetPtr reference_set(const FrechetRequest& request, const TrainedModel& classifier,
                               Console& console) {
  if (!request.reference.empty()) return open_with_notes(request.reference, console).train;
  const data::DatasetSplits splits = open_with_notes(classifier.info.options.data, console);
  const std::vector<std::string> differing =
      data::differences(classifier.info.data, data::identify(splits));
  if (!differing.empty()) {
    console.note(fmt::format("these are not the data that {} was trained on: {}", classifier.path,
                             fmt::join(differing, "; ")));
  }
  return splits.train;
}

/// The images that are compared: of a set, or made with a trained model.
data::DatasetPtr image_set(const FrechetRequest& request, Console& console) {
  if (!train::has_checkpoint(request.images)) {
    return choose(open_with_notes(request.images, console).test, request.count);
  }
  DG_CHECK(request.count > 0, "count: say how many images {} makes, such as --count 512",
           request.images);
  const TrainedModel trained = train::load_trained(request.images);
  for (const std::string& note : trained.notes) console.note(note);
  const MathModeScope math(parse_math_mode(trained.info.options.math));
  const auto progress = [&](int64_t done) {
    show(console, fmt::format("{} of {} images made", thousands(done), thousands(request.count)));
  };
  return train::generated_images(trained, request.count, 0, progress);
}

void check_count(const char* what, const data::DatasetPtr& set, int64_t features) {
  const int64_t least = kImagesPerFeature * features;
  DG_CHECK(set->size() >= least,
           "frechet: {} {} of {} for {} features, use at least {} ({} a feature): fewer give a "
           "covariance of mostly noise",
           thousands(set->size()), what, set->info().name, features, thousands(least),
           kImagesPerFeature);
}

Moments moments_of(ClassifierFeatures& features, const data::DatasetPtr& set,
                   const FrechetRequest& request, Console& console) {
  train::FeatureOptions options{.batch = request.batch, .workers = request.workers};
  options.progress = [&](int64_t done, int64_t total) {
    show(console, fmt::format("features of {} of {} images", thousands(done), thousands(total)));
  };
  Moments moments = feature_moments(features, set, options);
  console.status("");
  return moments;
}

}  // namespace

void print_frechet(Console& console, const FrechetRequest& request) {
  const TrainedModel classifier = train::load_trained(request.classifier);
  for (const std::string& note : classifier.notes) console.note(note);
  const train::Options& trained = classifier.info.options;
  const MathModeScope math(parse_math_mode(request.math.empty() ? trained.math : request.math));
  ClassifierFeatures features(classifier);
  const data::DatasetPtr images = image_set(request, console);
  const data::DatasetPtr reference = reference_set(request, classifier, console);
  check_count("images", images, features.width());
  check_count("reference images", reference, features.width());
  const Moments of_images = moments_of(features, images, request, console);
  const Moments of_reference = moments_of(features, reference, request, console);
  const double distance = train::frechet_distance(of_images, of_reference);
  if (request.json) {
    const nlohmann::ordered_json object = {
        {"format", train::kFormat},
        {"classifier_frechet_distance", distance},
        {"data", request.images},
        {"images", of_images.count()},
        {"reference", request.reference.empty() ? trained.data : request.reference},
        {"reference_images", of_reference.count()},
        {"features", features.width()},
        {"classifier", classifier.path},
        {"classifier_hash", features.hash()},
        {"resize", "none"}};
    console.json(object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  const auto line = [&](std::string_view name, const std::string& text) {
    console.line(fmt::format("{:<12} {}", name, text));
  };
  line("images", fmt::format("{} of {}", thousands(of_images.count()), printable(request.images)));
  line("reference",
       fmt::format("{} training images of {}", thousands(of_reference.count()),
                   printable(request.reference.empty() ? trained.data : request.reference)));
  line("classifier",
       fmt::format("{} with attention {}, {} weights, {}", trained.model,
                   printable(trained.attention), classifier.weights, printable(classifier.path)));
  line("hash", fmt::format("{} of its weights", features.hash()));
  line("resize", "none");
  const std::string figure =
      fmt::format("Frechet distance {:.4f} on {} features of this classifier", distance,
                  thousands(features.width()));
  console.line(console.styled(Style::bold, figure));
  console.line(
      "Compare it with distances on the same classifier only: it is not the Inception FID.");
}

}  // namespace diagrad::cli
