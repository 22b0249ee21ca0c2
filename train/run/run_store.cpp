#include "diagrad/train/run/run_store.h"

#include <filesystem>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::train {
RunStore::RunStore(const RunParts& parts, TrainListener& listener)
    : parts_(parts),
      job_(parts.job),
      listener_(listener),
      layout_{job_.task->all_metrics(), job_.eval_name(), parts.ema != nullptr},
      source_(read_source(parts)),
      folder_(job_.options) {}

Progress RunStore::restore() {
  begin_ = resume(parts_, folder_.checkpoints(), std::exchange(source_, {}),
                  [&](const std::string& text) { listener_.on_message(text); });
  return begin_.progress;
}

void RunStore::start(const Progress& progress, bool results_stay) {
  check_room(parts_, folder_.checkpoints(), folder_.path());
  folder_.start(job_.options, layout_, progress.step, results_stay);
  if (begin_.path.empty()) return;
  std::error_code ignored;
  const std::string last = folder_.checkpoints().file("last");
  if (!begin_.has_moved && std::filesystem::equivalent(begin_.path, last, ignored)) {
    saved_ = progress;
  } else {
    save(progress);
  }
  // The process may have died between saving and naming.
  if (!begin_.has_moved && progress.batch == 0 && progress.epoch > 0) {
    name_checkpoint(progress, progress.best_epoch == progress.epoch);
  }
}

std::string RunStore::what_is_kept() const {
  return saved_ ? fmt::format("the checkpoint of step {} is whole", saved_->step)
                : "there is no checkpoint yet";
}

Checkpoint RunStore::snapshot(const Progress& progress) const {
  Checkpoint checkpoint;
  checkpoint.info.options = job_.options;
  checkpoint.info.progress = progress;
  checkpoint.info.primary = job_.task->primary();
  checkpoint.info.data = parts_.data;
  checkpoint.info.data_changes = begin_.data_changes;
  checkpoint.info.chosen_on = job_.eval_name();
  checkpoint.info.init = begin_.init;
  checkpoint.tensors = parts_.live();
  return checkpoint;
}

void RunStore::save(const Progress& progress) {
  if (saved_ == progress) return;
  const Checkpoint checkpoint = snapshot(progress);
  if (const std::string bad = first_not_finite(checkpoint.tensors); !bad.empty()) {
    fail(ErrorKind::diverged,
         "diverged at step {} (epoch {}): {} is not finite after the update, so it was not saved; "
         "try a smaller --lr than {}; {}",
         progress.step, progress.epoch_of_step(), bad, job_.options.learning_rate(),
         what_is_kept());
  }
  try {
    folder_.flush(/*to_disk=*/true);
    folder_.checkpoints().save_last(checkpoint);
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}; {}; make room and go on with --resume auto", error.what(),
         what_is_kept());
  }
  saved_ = progress;
  listener_.on_save(folder_.checkpoints().file("last"), progress.step);
}

void RunStore::name_checkpoint(const Progress& progress, bool is_best) {
  if (is_best) folder_.checkpoints().mark_best();
  const int64_t every = job_.options.keep_every;
  if (every > 0 && progress.epoch % every == 0) {
    folder_.checkpoints().keep_epoch(progress.epoch, job_.options.keep);
  }
}

}  // namespace diagrad::train
