#include "diagrad/train/cli/progress.h"

#include <doctest/doctest.h>

#include <limits>

#include "diagrad/core/text.h"

namespace diagrad::cli {
namespace {

/// Moments from the first step to the last, small and huge, training and evaluating.
std::vector<Moment> moments() {
  std::vector<Moment> all;
  for (const int64_t total : {int64_t{1}, int64_t{395}, int64_t{1'000'000'000'000}}) {
    for (const int64_t done : {int64_t{0}, total / 3, total}) {
      Moment moment;
      moment.epoch = 3;
      moment.epochs = total > 1000 ? 1'000'000 : 15;
      moment.done = done;
      moment.total = total;
      moment.metrics = {"loss 1.2345", "accuracy 56.7 %"};
      moment.images_per_second = 1234.0;
      moment.seconds_left = 42.0;
      all.push_back(moment);
      moment.phase = "validation";
      all.push_back(moment);
      moment.phase.clear();
      moment.metrics = {"loss 1e+30", "accuracy -"};
      moment.images_per_second = 1e12;
      moment.seconds_left = std::numeric_limits<double>::quiet_NaN();
      all.push_back(moment);
    }
  }
  return all;
}

TEST_CASE("the moving line leaves the last column of any terminal free") {
  const Console console(false, false);
  for (const size_t width : {2, 5, 20, 40, 80, 200}) {
    for (const Moment& moment : moments()) {
      const std::string line = progress_line(moment, width, console);
      CAPTURE(width);
      CAPTURE(line);
      CHECK(columns(line) < width);
      CHECK(line.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("a wide line tells all, a narrow one the count") {
  const Console console(false, false);
  const Moment moment = moments()[9 + 3];  // a third of 395 steps
  CHECK(progress_line(moment, 105, console) ==
        "epoch 3/15 [=======>                ] 131/395  loss 1.2345  accuracy 56.7 %  0:42 left  "
        "1234 images/s");
  CHECK(progress_line(moment, 41, console) == "epoch 3/15 [=>    ] 131/395  loss 1.2345");
  CHECK(progress_line(moment, 40, console) == "epoch 3/15 131/395  loss 1.2345");
  CHECK(progress_line(moment, 12, console) == "131/395");
}

}  // namespace
}  // namespace diagrad::cli
