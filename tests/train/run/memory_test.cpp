#include <doctest/doctest.h>

#include <vector>

#include "diagrad/core/allocator.h"
#include "diagrad/core/parallel.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/allocator_modes.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using testing::Recorder;
using testing::TemporaryFolder;

TEST_CASE("after the first steps, training takes no more memory from the system") {
  const int threads = num_threads();
  set_num_threads(1);  // How many buffers several threads use at once is a matter of timing.
  const testing::AllocatorModes modes;
  CpuAllocator& allocator = CpuAllocator::instance();
  allocator.set_caching(true);
  const TemporaryFolder folder;
  Options options;
  options.model = "resnet8";
  options.attention = "dia-lstm";
  options.data = "shapes:train=96,test=8";
  options.batch = 8;
  options.epochs = 1;
  options.workers = 0;
  options.out = folder.path("run");
  const TrainJob job = make_job(options);
  std::vector<AllocatorStats> after_step;
  Recorder recorder;
  recorder.act = [&](const StepRow& /*row*/) { after_step.push_back(allocator.stats()); };
  train(job, recorder);
  set_num_threads(threads);

  REQUIRE(after_step.size() == 12);
  CHECK(after_step.front().system_allocations > 0);
  CHECK(after_step.back().allocations > after_step[2].allocations);
  CHECK(after_step.back().system_allocations == after_step[2].system_allocations);
  CHECK(after_step.back().current_bytes == after_step[2].current_bytes);
}

}  // namespace
}  // namespace diagrad::train
