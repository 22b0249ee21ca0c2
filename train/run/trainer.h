#pragma once

#include "diagrad/train/run/job.h"
#include "diagrad/train/run/listener.h"

namespace diagrad::train {

/// Trains a model to the end of its epochs, in a run folder (see RunFolder), from the beginning or
/// from where `options.resume` says.
///
/// - What comes out is a function of the options (runtime ones left out), the data and the first
///   weights: the same bits for any number of threads and loader workers, and after any number of
///   stops, kills and resumes. The final checkpoint is the same file, byte for byte.
/// - A checkpoint is saved after each epoch, every `save_every` steps, and when the run stops early
///   (max_steps, max_time, SIGINT, SIGTERM). Nothing with a number that is not finite is saved.
/// - SIGINT, SIGTERM and the other signals of SignalGuard finish the step, save and return with
///   `signal` set; a second SIGINT or SIGTERM quits.
/// - Where nothing is left to train and result.json is of this step, it is returned as it is.
///
/// Sets the math mode (core/math_mode.h) for its time; threads are set by the caller
/// (set_num_threads). Throws Error: usage, data, diverged (names the
/// first bad operation), checkpoint (damaged, of another model, disk full; the last good one
/// stays).
TrainResult train(const TrainJob& job, TrainListener& listener);

}  // namespace diagrad::train
