#include "diagrad/train/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "diagrad/core/text.h"

namespace diagrad::cli {
namespace {

using std::chrono::steady_clock;

constexpr double kRedraw = 0.1;      // seconds between two states of a moving line
constexpr double kHeartbeat = 30.0;  // seconds between two plain lines within an epoch

double since(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

std::string bar(double share, size_t width) {
  const auto full = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  std::string text(full, '=');
  if (full < width) text += '>';
  text.resize(width, ' ');
  return text;
}

double share(int64_t done, int64_t total) {
  return total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0.0;
}

}  // namespace

std::string progress_line(const Moment& moment, size_t width, const Console& console) {
  const size_t room = std::max<size_t>(width, 2) - 1;
  std::string head = fmt::format("epoch {}/{}", moment.epoch, moment.epochs);
  if (!moment.phase.empty()) head += " " + moment.phase;
  const std::string count = fmt::format("{}/{}", moment.done, moment.total);
  if (columns(head) + 1 + columns(count) > room) return count.substr(0, room);
  std::vector<std::string> parts;
  if (moment.phase.empty()) {
    parts = moment.metrics;
    parts.insert(parts.end(), {fmt::format("{} left", duration(moment.seconds_left)),
                               fmt::format("{} images/s", rate(moment.images_per_second))});
  }
  std::string tail;
  size_t used = columns(head) + 1 + columns(count);
  for (const std::string& part : parts) {
    if (used + 2 + columns(part) > room) break;
    used += 2 + columns(part);
    tail += "  " + part;
  }
  constexpr size_t kShortest = 6;
  constexpr size_t kLongest = 24;
  std::string middle;
  if (used + kShortest + 3 <= room) {
    const size_t length = std::min(kLongest, room - used - 3);
    const std::string drawn = bar(share(moment.done, moment.total), length);
    middle = "[" + console.styled(Style::good, drawn) + "] ";
  }
  return head + " " + middle + count + console.styled(Style::dim, tail);
}

void TrainProgress::on_start(const train::TrainStart& start) {
  start_ = start;
  began_ = shown_ = Clock::now();
  moment_.epochs = start.epochs;
  std::string frozen;
  if (start.frozen > 0) {
    frozen = fmt::format(", {} trained and {} frozen", thousands(start.parameters - start.frozen),
                         thousands(start.frozen));
  }
  console_.line(fmt::format("{} with attention {} on {}: {} parameters{}",
                            printable(options_.model), printable(options_.attention),
                            printable(options_.data), thousands(start.parameters), frozen));
  if (!start.init.text.empty()) {
    console_.line(fmt::format("first weights {}: {}{}", printable(options_.init),
                              printable(start.init.text),
                              start.resumed_at > 0 ? ", not read again" : ""));
  }
  if (options_.overfit_one_batch) {
    console_.line(fmt::format("overfitting one batch of {} images, {} steps",
                              thousands(start.train_images), thousands(start.steps)));
  } else {
    console_.line(fmt::format("{} training and {} {} images, {} epochs of {} steps",
                              thousands(start.train_images), thousands(start.eval_images),
                              start.eval_set, start.epochs, thousands(start.steps_per_epoch)));
  }
  console_.line(fmt::format("run folder {}", printable(start.folder)));
  if (start.resumed_at > start.steps) {
    console_.line(fmt::format("at step {}, beyond the {} of {} epochs: nothing is left to train",
                              thousands(start.resumed_at), thousands(start.steps), start.epochs));
  } else if (start.is_done) {
    console_.line(fmt::format("done before, at step {} of {}: nothing is left to train",
                              thousands(start.resumed_at), thousands(start.steps)));
  } else if (start.resumed_at > 0) {
    console_.line(fmt::format("goes on after step {} of {}", thousands(start.resumed_at),
                              thousands(start.steps)));
  }
  console_.line("");
  console_.flush();
  begin_epoch();
}

void TrainProgress::begin_epoch() {
  epoch_began_ = Clock::now();
  sums_.assign(start_.metrics.size(), 0.0);
  images_ = 0;
}

double TrainProgress::seconds_left(int64_t step) const {
  const int64_t made = step - start_.resumed_at;
  if (made <= 0) return std::numeric_limits<double>::quiet_NaN();
  int64_t last = start_.steps;
  if (options_.max_steps > 0) last = std::min(last, options_.max_steps);
  const double elapsed = since(began_);
  double left = elapsed / static_cast<double>(made) * static_cast<double>(last - step);
  if (options_.max_time > 0.0) left = std::min(left, options_.max_time - elapsed);
  return std::max(left, 0.0);
}

std::vector<std::string> TrainProgress::metric_texts(const train::MetricValues& values) const {
  std::vector<std::string> texts;
  for (const train::Metric& metric : start_.metrics) {
    texts.push_back(fmt::format("{} {}", metric.name,
                                train::metric_text(metric, train::value_of(values, metric.name))));
  }
  return texts;
}

void TrainProgress::on_step(const train::StepRow& row) {
  images_ += row.images;
  train::MetricValues means;
  for (size_t i = 0; i < start_.metrics.size(); ++i) {
    const std::string& name = start_.metrics[i].name;
    sums_[i] += train::value_of(row.metrics, name) * static_cast<double>(row.images);
    means.emplace_back(name, sums_[i] / static_cast<double>(images_));
  }
  moment_.phase.clear();
  moment_.epoch = row.epoch;
  moment_.done = row.step + start_.schedule_offset - (row.epoch - 1) * start_.steps_per_epoch;
  moment_.total = start_.steps_per_epoch;
  moment_.metrics = metric_texts(means);
  moment_.images_per_second = static_cast<double>(images_) / std::max(since(epoch_began_), 1e-9);
  moment_.seconds_left = seconds_left(row.step);
  show();
}

void TrainProgress::on_evaluate(const std::string& set, int64_t done, int64_t total) {
  moment_.phase = set;
  moment_.done = done;
  moment_.total = total;
  if (console_.live()) show();
}

void TrainProgress::show() {
  if (since(shown_) < (console_.live() ? kRedraw : kHeartbeat)) return;
  shown_ = Clock::now();
  if (console_.live()) {
    console_.status(progress_line(moment_, console_.width(), console_));
    return;
  }
  console_.line(fmt::format("epoch {}/{}  step {}/{}  {}  {} images/s  {} left", moment_.epoch,
                            moment_.epochs, moment_.done, moment_.total,
                            fmt::join(moment_.metrics, "  "), rate(moment_.images_per_second),
                            duration(moment_.seconds_left)));
  console_.flush();
}

void TrainProgress::on_epoch(const train::EpochRow& row, bool best) {
  // With --overfit-one-batch an epoch is one step.
  const bool rare = row.eval.empty() && start_.steps_per_epoch == 1;
  if (!rare) console_.live() ? print_row(row, best) : print_plain(row, best);
  console_.flush();
  begin_epoch();
}

std::vector<TrainProgress::Cell> TrainProgress::cells(const train::EpochRow& row) const {
  std::vector<Cell> all;
  all.push_back({"epoch", fmt::format("{}/{}", row.epoch, start_.epochs), 19});
  all.push_back({"lr", fmt::format("{:.4g}", row.lr), 1});
  const auto add = [&](const std::string& prefix, const train::MetricValues& values, int weight) {
    for (const train::Metric& metric : start_.metrics) {
      const bool is_primary = metric.name == start_.primary.name;
      const double value = train::value_of(values, metric.name);
      all.push_back({is_primary || prefix.empty() ? metric.name : prefix + " " + metric.name,
                     train::metric_text(metric, value), is_primary ? weight + 2 : weight});
    }
  };
  add("", row.train, 5);
  add(start_.eval_set == "test" ? "test" : "val", row.eval, 8);
  if (!row.ema.empty()) {
    all.push_back(
        {"averaged",
         train::metric_text(start_.primary, train::value_of(row.ema, start_.primary.name)), 4});
  }
  all.push_back({"images/s", rate(row.images_per_second), 2});
  all.push_back({"time", duration(row.seconds), 3});
  return all;
}

void TrainProgress::print_row(const train::EpochRow& row, bool best) {
  constexpr size_t kCell = 10;
  std::vector<Cell> all = cells(row);
  const size_t room = console_.width() > 7 ? (console_.width() - 7) / kCell : 1;
  while (all.size() > std::max<size_t>(room, 1)) {
    all.erase(std::min_element(all.begin(), all.end(),
                               [](const Cell& a, const Cell& b) { return a.weight < b.weight; }));
  }
  std::string heading;
  std::string line;
  for (const Cell& cell : all) {
    heading += fmt::format("{:>{}}", cell.heading, kCell);
    line += fmt::format("{:>{}}", cell.text, kCell);
  }
  if (!has_heading_) console_.line(console_.styled(Style::dim, heading));
  has_heading_ = true;
  console_.line(line + (best ? console_.styled(Style::good, "  best") : ""));
}

void TrainProgress::print_plain(const train::EpochRow& row, bool best) {
  std::string line = fmt::format("epoch {}/{}  lr {:.4g}  {}", row.epoch, start_.epochs, row.lr,
                                 fmt::join(metric_texts(row.train), "  "));
  if (!row.eval.empty()) {
    line += fmt::format("  {} {}", row.eval_set, fmt::join(metric_texts(row.eval), "  "));
  }
  if (!row.ema.empty()) {
    line += fmt::format(
        "  averaged {}",
        train::metric_text(start_.primary, train::value_of(row.ema, start_.primary.name)));
  }
  line += fmt::format("  {} images/s  {}", rate(row.images_per_second), duration(row.seconds));
  console_.line(line + (best ? "  best" : ""));
}

}  // namespace diagrad::cli
