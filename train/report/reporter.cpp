#include "diagrad/train/report/reporter.h"

#include <fmt/format.h>

#include <exception>

#include "diagrad/core/error.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/train/report/run_page.h"
#include "diagrad/train/run/file.h"

namespace diagrad::train {
namespace {

constexpr int kShare = 50;  // the page takes at most this part of the time

/// Who shares the attention; empty where a model of one's own has none that is registered.
std::string sharing_of(const Options& options) {
  try {
    return nn::name(nn::AttentionFactory(options.attention, options.sharing).sharing());
  } catch (const Error&) {
    return options.sharing;
  }
}

}  // namespace

template <typename Action>
void Reporter::attempt(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    if (!warned_) listener_.on_message(fmt::format("no report: {}", error.what()));
    warned_ = true;
  }
}

void Reporter::write_state() {
  attempt([&] { write_file(state_.start.folder + "/run.json", run_json(state_)); });
}

void Reporter::write_page() {
  const Clock::time_point begin = Clock::now();
  attempt([&] { write_run_page(state_.start.folder); });
  written_ = Clock::now();
  cost_ = written_ - begin;
}

void Reporter::begin(const TrainStart& start) {
  state_.start = start;
  state_.sharing = sharing_of(job_.options);
  state_.classes = job_.test->info().classes;
  state_.test_images = job_.test->size();
  write_state();
  write_page();
}

void Reporter::epoch() {
  if (first_epoch_ || Clock::now() - written_ >= kShare * cost_) write_page();
  first_epoch_ = false;
}

void Reporter::keep_samples(const Evaluation& evaluation) {
  attempt([&] {
    write_file(state_.start.folder + "/samples.json",
               samples_json(sample_images(evaluation, *job_.test)));
  });
}

void Reporter::end(const TrainResult& result) {
  state_.phase = result.stopped.empty() ? RunPhase::finished : RunPhase::stopped;
  state_.reason = result.signal != 0 ? fmt::format("signal {}", result.signal) : result.stopped;
  state_.epoch = result.epochs;
  state_.step = result.steps;
  write_state();
  write_page();
}

void Reporter::refresh(const std::string& folder) {
  attempt([&] { write_run_page(folder); });
}

void Reporter::fail(RunPhase phase, const std::string& message, int64_t step) {
  state_.phase = phase;
  state_.reason = message;
  state_.step = step;
  write_state();
  write_page();
}

}  // namespace diagrad::train
