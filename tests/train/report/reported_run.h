#pragma once

#include "diagrad/train/report/reporter.h"
#include "diagrad/train/run/trainer.h"

namespace diagrad::testing {

/// Trains as the program does: `listener` hears the run, and a Reporter keeps its page.
inline train::TrainResult train_with_report(const train::TrainJob& job,
                                            train::TrainListener& listener) {
  train::Reporter reporter(job, listener);
  train::ListenerGroup listeners({&listener, &reporter});
  return train::train(job, listeners);
}

}  // namespace diagrad::testing
