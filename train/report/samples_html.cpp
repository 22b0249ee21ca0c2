#include "diagrad/train/report/samples_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "diagrad/core/text.h"
#include "diagrad/train/report/confusion.h"
#include "diagrad/train/report/html.h"

namespace diagrad::train {
namespace {


constexpr int64_t kSide = 128;  // pixels of the page that an image takes at most

std::string images(int64_t count) {
  return fmt::format("{} image{}", thousands(count), count == 1 ? "" : "s");
}

/// "99.2 %"; neither "100.0 %" nor "0.0 %" for what is only close to it. HTML.
std::string sure_percent(double probability, double rest) {
  if (rest > 0.0 && rest < 0.0005) return "&gt; 99.9 %";
  if (probability > 0.0 && probability < 0.0005) return "&lt; 0.1 %";
  return fmt::format("{:.1f} %", 100.0 * probability);
}

/// A word, a class and how probable the model held it.
std::string answer(const char* word, const std::string& name, const char* kind, double probability,
                   double rest) {
  return fmt::format(
      "<span class=\"answer\">{} <b title=\"{}\">{}</b></span>"
      "<span class=\"chance\"><span class=\"bar {}\"><i style=\"width:{:.1f}%\"></i></span>"
      "<em>{}</em></span>",
      word, escape_html(name), escape_html(shorten(name, 40)), kind, 100.0 * probability,
      sure_percent(probability, rest));
}

/// Whole multiples alone, so that all pixels are of one size.
int64_t scale(const SampleImage& image) {
  return std::max<int64_t>(1, kSide / std::max(image.height, image.width));
}

std::string card(const SampleImage& image, const std::vector<std::string>& classes) {
  const Verdict& verdict = image.verdict;
  const std::string truth = class_name(classes, static_cast<size_t>(verdict.label));
  const std::string said = class_name(classes, static_cast<size_t>(verdict.predicted));
  const bool right = verdict.label == verdict.predicted;
  std::string answers;
  if (!right) answers = answer("said", said, "said", verdict.probability, verdict.doubt);
  answers += answer("is", truth, "true", verdict.label_probability,
                    right ? verdict.doubt : 1.0 - verdict.label_probability);
  return fmt::format(
      "<figure class=\"sample\"><span class=\"mount\"><img{} width=\"{}\" height=\"{}\" alt=\"{}\" "
      "title=\"{}\" "
      "src=\"data:{};base64,{}\"/></span>{}</figure>\n",
      image.type == "image/png" ? " class=\"pixels\"" : "", image.width * scale(image),
      image.height * scale(image), escape_html(right ? truth : truth + ", taken for " + said),
      escape_html(fmt::format("image {}: {}", thousands(verdict.index), image.source)), image.type,
      image.base64, answers);
}

std::string cards(const std::vector<SampleImage>& samples,
                  const std::vector<std::string>& classes) {
  std::string body = "<div class=\"samples\">\n";
  for (const SampleImage& image : samples) body += card(image, classes);
  return body + "</div>\n";
}

std::string wrong_words(const SampleImages& samples) {
  if (samples.mistakes == 0) {
    return fmt::format("None: all {} were recognised.", images(samples.examples));
  }
  if (samples.wrong.empty()) return "None of them can be shown.";
  constexpr const char* kQuestion = "Is a label wrong, or is there something to learn?";
  const auto shown = static_cast<int64_t>(samples.wrong.size());
  if (shown >= samples.mistakes) {
    return fmt::format("{} on {}, the surest first. {}",
                       shown == 1 ? "The only mistake" : fmt::format("All {} mistakes", shown),
                       images(samples.examples), kQuestion);
  }
  return fmt::format("Of {} mistakes on {}, the {} that the model was surest of. {}",
                     thousands(samples.mistakes), images(samples.examples), shown, kQuestion);
}

std::string right_words(const SampleImages& samples, size_t classes) {
  if (samples.right.empty()) return "None: no image was recognised.";
  const size_t shown = samples.right.size();
  return "What the model holds to be typical: the image that it recognised with most certainty, "
         "for " +
         (shown < classes ? fmt::format("{} of {} classes.", shown, classes) : "each class.");
}

}  // namespace

std::string samples_html(const SampleImages& samples, const std::vector<std::string>& classes,
                         const std::string& set) {
  if (samples.examples == 0) return {};
  std::string body = "<h3>Surest mistakes</h3>\n<p class=\"words\">" + wrong_words(samples) +
                     "</p>\n" + cards(samples.wrong, classes);
  body += "<h3>Surest right answers</h3>\n<p class=\"words\">" +
          right_words(samples, classes.size()) + "</p>\n" + cards(samples.right, classes);
  const auto& shown = samples.wrong.empty() ? samples.right : samples.wrong;
  if (!shown.empty() && shown.front().height < samples.height) {
    body += fmt::format("<p class=\"words size\">Images of {} x {} pixels, shown smaller.</p>\n",
                        samples.width, samples.height);
  }
  return html_section("Sample images from the " + set + ", weights at the end", body);
}

}  // namespace diagrad::train
