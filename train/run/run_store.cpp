#include "diagrad/train/run/run_store.h"

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

RunStore::RunStore(const TrainJob& job, const Optimizer& optimizer, const Ema* ema,
                   TrainListener& listener)
    : job_(job),
      optimizer_(optimizer),
      ema_(ema),
      listener_(listener),
      layout_{job.task->all_metrics(), job.eval_name(), ema != nullptr},
      given_(read_given(job.options.resume)),
      folder_(job.options) {}

TensorMap RunStore::live() const {
  TensorMap all;
  for (const auto& named : job_.model->state_dict()) all["model." + named.first] = named.second;
  for (const auto& named : optimizer_.state()) all["optimizer." + named.first] = named.second;
  if (ema_ == nullptr) return all;
  for (const auto& named : ema_->state()) all["ema." + named.first] = named.second;
  return all;
}

Progress RunStore::restore(int64_t batches_per_epoch) {
  Progress progress;
  const Options& options = job_.options;
  if (given_) {
    restored_ = options.resume;
    folder_.checkpoints().check_newest(given_->info.progress, restored_);
    progress = adopt(*given_, restored_);
    given_.reset();
  } else if (options.resume == "auto") {
    if (const auto found = folder_.checkpoints().find_last()) {
      restored_ = found->path;
      if (!found->warning.empty()) listener_.on_message(found->warning);
      progress = adopt(found->checkpoint, restored_);
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
  return progress;
}

void RunStore::start(const Progress& progress, bool results_stay) {
  check_space();
  folder_.start(job_.options, layout_, progress.step, results_stay);
  if (restored_.empty()) return;
  std::error_code ignored;
  const std::string last = folder_.checkpoints().file("last");
  if (std::filesystem::equivalent(restored_, last, ignored)) {
    saved_ = progress;
  } else {
    save(progress);
  }
  // The process may have died between saving and naming.
  if (progress.batch == 0 && progress.epoch > 0) {
    name_checkpoint(progress, progress.best_epoch == progress.epoch);
  }
}

Progress RunStore::adopt(const Checkpoint& checkpoint, const std::string& path) {
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
  check_sums(checkpoint, path);
  check_options(checkpoint, path);
  resumed_at_ = checkpoint.info.progress.step;
  return checkpoint.info.progress;
}

/// A run that goes on with other settings would be neither of the two.
void RunStore::check_options(const Checkpoint& checkpoint, const std::string& path) {
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

/// The sums of the epoch under way must be those that the task goes on adding to.
void RunStore::check_sums(const Checkpoint& checkpoint, const std::string& path) const {
  const size_t there = checkpoint.info.progress.sums.values.size();
  const size_t here = job_.task->evaluator({.set = job_.test})->sums().values.size();
  if (there == 0 || here == 0 || there == here) return;  // empty stands for zeros
  fail(ErrorKind::checkpoint,
       "{}: has {} sums of the epoch under way, task {} keeps {}; start a new run", path, there,
       job_.options.task, here);
}

/// More images of the same kind are fine; others would be another task for these weights.
void RunStore::check_data(const Checkpoint& checkpoint, const std::string& path) const {
  const data::DatasetInfo& here = job_.train->info();
  const DataIdentity& there = checkpoint.info.data;
  if (there.input == here.image && there.classes.size() == here.classes.size()) return;
  fail(ErrorKind::checkpoint,
       "{}: was trained on {} classes of images {}, {} has {} of {}; go on with the same data or "
       "start a new run",
       path, there.classes.size(), there.input, here.name, here.classes.size(), here.image);
}

/// Hours later would be a bad moment to learn of a full disk.
void RunStore::check_space() {
  int64_t one = 0;
  for (const auto& named : live()) one += named.second.numel() * size_of(named.second.dtype());
  // How many files stay where none is removed, is known only at the end of the run.
  const int64_t kept = job_.options.keep_every > 0 ? job_.options.keep : 0;
  std::error_code problem;
  const auto space = std::filesystem::space(folder_.path(), problem);
  if (problem) return;
  train::check_space(folder_.path(), space_to_come(one, kept, folder_.checkpoints().bytes()),
                     space.available);
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
  DataIdentity& data = checkpoint.info.data;
  data.name = job_.train->info().name;
  data.input = job_.train->info().image;
  data.classes = job_.train->info().classes;
  data.train_images = job_.train->size();
  data.validation_images = job_.validation ? job_.validation->size() : 0;
  data.test_images = job_.test->size();
  checkpoint.info.chosen_on = job_.eval_name();
  checkpoint.tensors = live();
  return checkpoint;
}

void RunStore::save(const Progress& progress) {
  if (saved_ == progress) return;
  const Checkpoint checkpoint = snapshot(progress);
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

void RunStore::name_checkpoint(const Progress& progress, bool is_best) {
  if (is_best) folder_.checkpoints().mark_best();
  const int64_t every = job_.options.keep_every;
  if (every > 0 && progress.epoch % every == 0) {
    folder_.checkpoints().keep_epoch(progress.epoch, job_.options.keep);
  }
}

}  // namespace diagrad::train
