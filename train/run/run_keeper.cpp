#include "diagrad/train/run/run_keeper.h"

#include <filesystem>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

/// Read before a folder is made: a file that cannot be used leaves nothing behind.
std::optional<Checkpoint> read_given(const std::string& resume) {
  if (resume.empty() || resume == "auto") return std::nullopt;
  return read_checkpoint(resume);
}

}  // namespace

RunKeeper::RunKeeper(const TrainJob& job, const Optimizer& optimizer, const Ema* ema,
                     TrainListener& listener)
    : job_(job),
      optimizer_(optimizer),
      ema_(ema),
      listener_(listener),
      given_(read_given(job.options.resume)),
      folder_(job.options) {}

TensorMap RunKeeper::live() const {
  TensorMap all;
  for (const auto& named : job_.model->state_dict()) all["model." + named.first] = named.second;
  for (const auto& named : optimizer_.state()) all["optimizer." + named.first] = named.second;
  if (ema_ == nullptr) return all;
  for (const auto& named : ema_->state()) all["ema." + named.first] = named.second;
  return all;
}

void RunKeeper::restore(int64_t batches_per_epoch) {
  const Options& options = job_.options;
  if (given_) {
    restored_ = options.resume;
    folder_.checkpoints().check_newest(given_->info.progress, restored_);
    adopt(*given_, restored_);
    given_.reset();
  } else if (options.resume == "auto") {
    if (const auto found = folder_.checkpoints().find_last()) {
      restored_ = found->path;
      if (!found->warning.empty()) listener_.on_message(found->warning);
      adopt(found->checkpoint, restored_);
    } else if (options.out.empty()) {
      listener_.on_message(fmt::format(
          "resume: no unfinished run of {} lies in runs, this is a new one", run_name(options)));
    }
  }
  if (progress.batch > batches_per_epoch) {
    fail(ErrorKind::checkpoint,
         "{}: is at batch {} of an epoch that has {} here; is it the same data?", restored_,
         progress.batch, batches_per_epoch);
  }
}

void RunKeeper::start(bool results_stay) {
  check_space();
  folder_.start(job_.options, progress.step, results_stay);
  if (restored_.empty()) return;
  std::error_code ignored;
  const std::string last = folder_.checkpoints().file("last");
  if (std::filesystem::equivalent(restored_, last, ignored)) {
    saved_ = progress;
  } else {
    save();
  }
  // The process may have died between saving and naming.
  if (progress.batch == 0 && progress.epoch > 0) {
    name_checkpoint(progress.best_epoch == progress.epoch);
  }
}

void RunKeeper::adopt(const Checkpoint& checkpoint, const std::string& path) {
  try {
    train::restore(live(), checkpoint.tensors, path);
  } catch (const Error& error) {
    std::string text = error.what();
    for (const OptionDifference& option : differences(checkpoint.info.options, job_.options)) {
      text += "; " + option.text();
    }
    throw Error(ErrorKind::checkpoint, text);
  }
  check_data(checkpoint, path);
  check_options(checkpoint, path);
  progress = checkpoint.info.progress;
  lr = checkpoint.info.lr;
  resumed_at_ = progress.step;
}

/// A run that goes on with other settings would be neither of the two.
void RunKeeper::check_options(const Checkpoint& checkpoint, const std::string& path) {
  std::string problem;
  for (const OptionDifference& option : differences(checkpoint.info.options, job_.options)) {
    // More epochs are a wish, and the same data may lie elsewhere.
    if (option.name == "epochs" || option.name == "data") {
      listener_.on_message("resume: " + option.text());
    } else {
      problem += (problem.empty() ? "" : "; ") + option.text();
    }
  }
  if (problem.empty()) return;
  fail(ErrorKind::checkpoint,
       "{}: was made with other options: {}; give the same ones or start a new run", path, problem);
}

/// More images of the same kind are fine; others would be another task for these weights.
void RunKeeper::check_data(const Checkpoint& checkpoint, const std::string& path) const {
  const data::DatasetInfo& here = job_.train->info();
  const CheckpointInfo& there = checkpoint.info;
  if (there.input == here.image && there.classes.size() == here.classes.size()) return;
  fail(ErrorKind::checkpoint,
       "{}: was trained on {} classes of images {}, {} has {} of {}; go on with the same data or "
       "start a new run",
       path, there.classes.size(), there.input, here.name, here.classes.size(), here.image);
}

/// Hours later would be a bad moment to learn of a full disk.
void RunKeeper::check_space() {
  int64_t one = 0;
  for (const auto& named : live()) one += named.second.numel() * size_of(named.second.dtype());
  // How many files stay where none is removed, only the end of the run tells.
  const int64_t kept = job_.options.keep_every > 0 ? job_.options.keep : 0;
  std::error_code problem;
  const auto space = std::filesystem::space(folder_.path(), problem);
  if (problem) return;
  train::check_space(folder_.path(), space_to_come(one, kept, folder_.checkpoints().bytes()),
                     space.available);
}

std::string RunKeeper::what_is_kept() const {
  return saved_ ? fmt::format("the checkpoint of step {} is whole", saved_->step)
                : "there is no checkpoint yet";
}

Checkpoint RunKeeper::snapshot() const {
  Checkpoint checkpoint;
  checkpoint.info.options = job_.options;
  checkpoint.info.progress = progress;
  checkpoint.info.lr = lr;
  checkpoint.info.input = job_.train->info().image;
  checkpoint.info.classes = job_.train->info().classes;
  checkpoint.info.chosen_on = job_.eval_name();
  checkpoint.tensors = live();
  return checkpoint;
}

void RunKeeper::save() {
  if (saved_ == progress) return;
  const Checkpoint checkpoint = snapshot();
  if (const std::string bad = first_not_finite(checkpoint.tensors); !bad.empty()) {
    fail(ErrorKind::diverged,
         "diverged at step {} (epoch {}): {} is not finite after the update, so it was not saved; "
         "try a smaller --lr than {}; {}",
         progress.step, progress.epoch + 1, bad, job_.options.learning_rate(), what_is_kept());
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

void RunKeeper::name_checkpoint(bool is_best) {
  if (is_best) folder_.checkpoints().mark_best();
  const int64_t every = job_.options.keep_every;
  if (every > 0 && progress.epoch % every == 0) {
    folder_.checkpoints().keep_epoch(progress.epoch, job_.options.keep);
  }
}

}  // namespace diagrad::train
