#include "diagrad/train/run/resume.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "diagrad/core/error.h"
#include "diagrad/train/run/option_effect.h"
#include "diagrad/train/run/run_folder.h"

namespace diagrad::train {
namespace {

/// Restores one checkpoint.
class Restorer {
 public:
  Restorer(const RunParts& parts, const Checkpoint& checkpoint, const std::string& path,
           const Say& say)
      : parts_(parts), job_(parts.job), checkpoint_(checkpoint), path_(path), say_(say) {}

  RunBegin run();

 private:
  const Options& there() const { return checkpoint_.info.options; }
  const Options& here() const { return job_.options; }

  void check_data();
  void restore_tensors() const;
  void check_options();
  void check_sums() const;
  bool begins_with_same_weights() const;
  void move_to_other_data(Progress& progress) const;
  void say_rates(const Progress& progress) const;

  const RunParts& parts_;
  const TrainJob& job_;
  const Checkpoint& checkpoint_;
  const std::string& path_;
  const Say& say_;
  std::string data_change_;  ///< what differs; empty: the run's own data
  bool epochs_differ_ = false;
};

RunBegin Restorer::run() {
  check_data();
  restore_tensors();
  check_sums();
  check_options();
  RunBegin begin{checkpoint_.info.progress, path_, checkpoint_.info.data_changes};
  begin.init = checkpoint_.info.init;
  if (!data_change_.empty()) {
    begin.data_changes.push_back({begin.progress.step, data_change_});
    begin.has_moved = true;
    move_to_other_data(begin.progress);
  }
  const int64_t batches = parts_.loader.batch_count();
  if (begin.progress.batch > batches) {
    fail(ErrorKind::checkpoint, "{}: is at batch {} of an epoch that has {} here", path_,
         begin.progress.batch, batches);
  }
  if (!data_change_.empty() || epochs_differ_) say_rates(begin.progress);
  return begin;
}

/// Other data make another run: other batches, another length of the schedule, other meanings of
/// the outputs.
void Restorer::check_data() {
  const auto differing = data::differences(checkpoint_.info.data, parts_.data);
  if (differing.empty()) return;
  data_change_ = fmt::format("{}", fmt::join(differing, "; "));
  if (here().other_data) return;
  fail(ErrorKind::checkpoint,
       "{}: was trained on other data: {}; give its own data with --data, or go on with these at "
       "the same place with --other-data",
       path_, data_change_);
}

void Restorer::restore_tensors() const {
  try {
    restore(parts_.live(), checkpoint_.tensors, path_);
  } catch (const Error& error) {
    std::string text = error.what();
    for (const OptionDifference& option : differences(there(), here())) {
      text += "; " + option.text();
    }
    throw Error(ErrorKind::checkpoint, text);
  }
}

/// A run that goes on with other settings would be neither of the two.
void Restorer::check_options() {
  std::string problem;
  for (const OptionDifference& option : effective_differences(there(), here())) {
    // More epochs are a wish, and what the data are is known by their identity.
    if (option.name == "epochs") {
      epochs_differ_ = true;
    } else if (option.name == "data") {
      if (data_change_.empty()) say_("resume: " + option.text());
    } else if (option.name == "init" && begins_with_same_weights()) {
      say_("resume: " + option.text() + ", with the same weights");
    } else {
      problem += (problem.empty() ? "" : "; ") + option.text();
    }
  }
  if (problem.empty()) return;
  fail(ErrorKind::checkpoint,
       "{}: was made with other options: {}; give the same ones or start a new run", path_,
       problem);
}

/// Files may move: what they give to the model tells them apart, not their names.
bool Restorer::begins_with_same_weights() const {
  return !there().init.empty() && !here().init.empty() &&
         read_init(job_).record.hash == checkpoint_.info.init.hash;
}

/// The sums of the epoch under way must be those that the task goes on adding to.
void Restorer::check_sums() const {
  const size_t there = checkpoint_.info.progress.sums.values.size();
  const size_t here = job_.task->evaluator({.set = job_.test})->sums().values.size();
  if (there == 0 || here == 0 || there == here) return;  // empty stands for zeros
  fail(ErrorKind::checkpoint,
       "{}: has {} sums of the epoch under way, task {} keeps {}; start a new run", path_, there,
       job_.options.task, here);
}

/// The same share of the epoch under way, rounded down to whole steps.
void Restorer::move_to_other_data(Progress& progress) const {
  const data::DataIdentity& data = checkpoint_.info.data;
  const int64_t held_out = data.validation_images == 0 ? there().val_split : 0;
  const int64_t images = std::max<int64_t>(data.train_images - held_out, 1);
  const int64_t before = std::max<int64_t>(
      there().drop_last ? images / there().batch : (images + there().batch - 1) / there().batch, 1);
  const int64_t batches = parts_.loader.batch_count();
  if (progress.batch >= before) {
    progress.batch = batches;  // it waits for its evaluation
  } else {
    const double share = static_cast<double>(progress.batch) / static_cast<double>(before);
    const auto batch = static_cast<int64_t>(std::floor(share * static_cast<double>(batches)));
    progress.batch = batch / here().accumulate * here().accumulate;
  }
  progress.best_epoch = 0;  // chosen on other images
  progress.schedule_step =
      progress.epoch * parts_.steps_per_epoch + steps_of(progress.batch, here());
}

void Restorer::say_rates(const Progress& progress) const {
  std::string text = "resume: ";
  if (!data_change_.empty()) text += fmt::format("other data ({}); ", data_change_);
  if (epochs_differ_)
    text += fmt::format("{} epochs before, {} now; ", there().epochs, here().epochs);
  if (progress.epoch >= here().epochs) {
    say_(text + fmt::format("{} are done, nothing is left to train", progress.epoch));
    return;
  }
  const double done =
      static_cast<double>(progress.epoch) +
      static_cast<double>(progress.batch) / static_cast<double>(parts_.loader.batch_count());
  say_(text +
       fmt::format(
           "goes on after {:.4g} of {} epochs; learning rate {:.4g} before, {:.4g} from here", done,
           here().epochs, progress.lr, parts_.schedule.lr(progress.schedule_step)));
}

}  // namespace

RunSource read_source(const RunParts& parts) {
  const Options& options = parts.job.options;
  if (!options.resume.empty() && options.resume != "auto") {
    return {read_checkpoint(options.resume), std::nullopt};
  }
  if (options.init.empty()) return {};
  if (options.resume == "auto") {
    const CheckpointFolder checkpoints(find_run_folder(options) + "/checkpoints");
    if (checkpoints.has("last") || checkpoints.has("last.prev")) return {};
  }
  return {std::nullopt, read_init(parts.job)};
}

RunBegin resume(const RunParts& parts, CheckpointFolder& checkpoints, RunSource source,
                const Say& say) {
  const Options& options = parts.job.options;
  if (source.checkpoint) {
    checkpoints.check_newest(source.checkpoint->info.progress, options.resume);
    return Restorer(parts, *source.checkpoint, options.resume, say).run();
  }
  if (options.resume == "auto") {
    const auto found = checkpoints.find_last();
    if (found) {
      if (!found->warning.empty()) say(found->warning);
      return Restorer(parts, found->checkpoint, found->path, say).run();
    }
    if (options.out.empty()) {
      say(fmt::format("resume: no unfinished run of {} lies in runs, this is a new one",
                      run_name(options)));
    }
  }
  RunBegin begin;
  if (options.init.empty()) return begin;
  // Not read before where the folder had a checkpoint a moment ago.
  if (!source.init) source.init = read_init(parts.job);
  for (const std::string& note : source.init->notes) say(note);
  apply_init(*source.init, parts);
  begin.init = source.init->record;
  return begin;
}

void check_room(const RunParts& parts, const CheckpointFolder& checkpoints,
                const std::string& folder) {
  int64_t one = 0;
  for (const auto& named : parts.live()) {
    one += named.second.numel() * size_of(named.second.dtype());
  }
  // How many files stay where none is removed, is known only at the end of the run.
  const Options& options = parts.job.options;
  const int64_t kept = options.keep_every > 0 ? options.keep : 0;
  std::error_code problem;
  const auto space = std::filesystem::space(existing_part(folder), problem);
  if (problem) return;
  check_space(folder, space_to_come(one, kept, checkpoints.bytes()), space.available);
}

}  // namespace diagrad::train
