#include "diagrad/train/report/reporter.h"

#include <fmt/format.h>

#include <exception>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/models/registry.h"
#include "diagrad/train/report/run_page.h"

namespace diagrad::train {
namespace {

constexpr int kShare = 50;  // the page takes at most this part of the time

/// Who shares the attention; empty where a model of one's own has none that is registered.
std::string sharing_of(const Options& options) {
  try {
    return nn::name(models::sharing_of(options.model, options.attention, options.sharing));
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
    if (!warned_) messages_.on_message(fmt::format("no report: {}", error.what()));
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

void Reporter::on_start(const TrainStart& start) {
  state_.start = start;
  if (start.is_done) return;
  state_.sharing = sharing_of(job_.options);
  state_.classes = job_.test->info().classes;
  state_.test_images = job_.test->size();
  write_state();
  write_page();
}

bool Reporter::is_due(const EpochRow& row) const {
  // With --overfit-one-batch an epoch is one step.
  if (job_.options.overfit_one_batch && row.epoch < job_.options.epochs) return false;
  return first_epoch_ || Clock::now() - written_ >= kShare * cost_;
}

void Reporter::write_blocks(const Evaluation& evaluation, const std::string& of) {
  attempt([&] {
    write_file(state_.start.folder + "/blocks.json", blocks_json(evaluation.blocks, of));
  });
}

void Reporter::on_evaluation(const EpochRow& row, const Evaluation& evaluation) {
  if (!is_due(row)) return;
  write_blocks(evaluation, fmt::format("{} set, after epoch {}", row.eval_set, row.epoch));
}

void Reporter::on_epoch(const EpochRow& row, bool /*best*/) {
  if (is_due(row)) write_page();
  first_epoch_ = false;
}

void Reporter::on_result(const TrainResult& result) {
  const bool is_one_batch = job_.options.overfit_one_batch;
  write_blocks(result.last, is_one_batch ? "batch that was trained on, weights at the end"
                                         : "test set, weights at the end");
}

void Reporter::on_end(const TrainResult& result) {
  if (!state_.start.is_done) {
    state_.phase = result.stopped.empty() ? RunPhase::finished : RunPhase::stopped;
    state_.reason = result.signal != 0 ? fmt::format("signal {}", result.signal) : result.stopped;
    state_.epoch = result.epochs;
    state_.step = result.steps;
    write_state();
  }
  write_page();
}

void Reporter::on_fail(const Error& error, int64_t step) {
  state_.phase = error.kind() == ErrorKind::diverged ? RunPhase::diverged : RunPhase::failed;
  state_.reason = error.what();
  state_.step = step;
  write_state();
  write_page();
}

}  // namespace diagrad::train
