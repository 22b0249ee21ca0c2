#include "diagrad/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/data/transform.h"

namespace diagrad::data {
namespace {

constexpr int kMaxWorkers = 256;
constexpr int64_t kMaxPrefetch = 1024;

const Normalization& chosen_normalization(const Dataset& dataset, const LoaderOptions& options) {
  return normalization(options.normalization.empty() ? dataset.info().normalization
                                                     : options.normalization);
}

/// Reads one image and checks it; every error names where the image comes from.
void read_checked(const Dataset& dataset, int64_t index, Sample& sample) {
  try {
    dataset.read(index, sample);
    check_sample(dataset.info(), sample);
  } catch (const std::bad_alloc&) {
    throw;  // memory is short, the image may be whole
  } catch (const std::exception& problem) {
    const std::string source = dataset.source(index);
    const std::string text = problem.what();
    const auto* error = dynamic_cast<const Error*>(&problem);
    if (error != nullptr && text.find(source) != std::string::npos) throw;
    throw Error(error != nullptr ? error->kind() : ErrorKind::data, source + ": " + text);
  }
}

}  // namespace

class Loader::Impl {
 public:
  Impl(DatasetPtr dataset, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        options_(options),
        transform_(dataset_->info().image, chosen_normalization(*dataset_, options),
                   options.augmentations, options.seed) {
    check();
    images_ = dataset_->size();
    if (options_.drop_last) images_ -= images_ % options_.batch;
    batches_ = (images_ + options_.batch - 1) / options_.batch;
    end_ = next_ = 0;
    slots_.resize(static_cast<size_t>(options_.prefetch));
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start(int64_t epoch, int64_t first_batch) {
    DG_CHECK(first_batch >= 0 && first_batch <= batches_,
             "loader: batch {} does not exist, an epoch has batches 0 to {}", first_batch,
             batches_ - 1);
    stop();
    epoch_ = epoch;
    order_.clear();
    if (options_.shuffle) {
      RandomStream random(options_.seed, stream_id("shuffle", static_cast<uint64_t>(epoch)));
      order_ = permutation(dataset_->size(), random);
    }
    next_ = claimed_ = first_batch;
    end_ = batches_;
    stopping_ = false;
    for (int worker = 0; worker < options_.workers; ++worker) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error& error) {
        stop();
        fail(ErrorKind::usage, "loader: thread {} of {} cannot be started: {}; use fewer workers",
             worker + 1, options_.workers, error.what());
      }
    }
  }

  bool next(Batch& batch) {
    if (next_ == end_) return false;
    try {
      batch = threads_.empty() ? make(next_++) : take();
    } catch (...) {
      stop();
      throw;
    }
    return true;
  }

  DatasetPtr dataset_;
  LoaderOptions options_;
  int64_t batches_ = 0;
  int64_t images_ = 0;

 private:
  struct Slot {
    bool done = false;
    Batch batch;
    std::exception_ptr error;
  };

  void check() const;
  Batch make(int64_t number) const;
  ImageSize new_size(int64_t index, Sample& sample) const;
  [[noreturn]] void fail_sizes(int64_t index, const ImageSize& size, int64_t other,
                               const ImageSize& other_size) const;
  Batch take();
  void work();
  void stop();
  Slot& slot(int64_t number) { return slots_[static_cast<size_t>(number % options_.prefetch)]; }

  Transform transform_;
  int64_t epoch_ = 0;
  std::vector<int64_t> order_;  ///< empty: that of the data set
  std::vector<std::thread> threads_;

  // What the threads share. Batches [next_, claimed_) are under way or wait in their slots.
  std::mutex mutex_;
  std::condition_variable room_;   ///< for the workers: a slot came free, or stop
  std::condition_variable ready_;  ///< for the reader: a batch is done
  std::vector<Slot> slots_;
  int64_t next_ = 0;
  int64_t claimed_ = 0;
  int64_t end_ = 0;
  bool stopping_ = false;
};

void Loader::Impl::check() const {
  const LoaderOptions& o = options_;
  DG_CHECK(o.batch >= 1, "loader: a batch of {} images is below 1", o.batch);
  DG_CHECK(o.workers >= 0 && o.workers <= kMaxWorkers, "loader: {} workers, use 0 to {}", o.workers,
           kMaxWorkers);
  DG_CHECK(o.prefetch >= 1 && o.prefetch <= kMaxPrefetch, "loader: prefetch {}, use 1 to {}",
           o.prefetch, kMaxPrefetch);
  DG_CHECK(dataset_->size() >= 1, "loader: the data set {} has no images", dataset_->info().name);
  DG_CHECK(!o.drop_last || o.batch <= dataset_->size(),
           "loader: a batch of {} is never full, {} has {} images; use a smaller batch or keep "
           "the last one",
           o.batch, dataset_->info().name, dataset_->size());
}

Batch Loader::Impl::make(int64_t number) const {
  const int64_t first = number * options_.batch;
  const int64_t count = std::min(options_.batch, images_ - first);
  Batch batch;
  batch.number = number;
  for (int64_t i = first; i < first + count; ++i) {
    batch.indices.push_back(order_.empty() ? i : order_[static_cast<size_t>(i)]);
  }
  Sample first_sample;  // read ahead where only it tells the size
  const ImageSize size = new_size(batch.indices.front(), first_sample);
  const int64_t channels = dataset_->info().image[2];
  const int64_t values = size.height * size.width * channels;
  batch.images = Tensor::empty({count, size.height, size.width, channels});
  float* images = batch.images.data<float>();
  Collator collator(dataset_->info(), count, size);
  parallel_for(count, 8, [&](int64_t from, int64_t to) {
    Sample buffer;
    Geometry geometry;
    for (int64_t i = from; i < to; ++i) {
      const int64_t index = batch.indices[static_cast<size_t>(i)];
      const bool was_read = i == 0 && !first_sample.pixels.empty();
      Sample& sample = was_read ? first_sample : buffer;
      if (!was_read) read_checked(*dataset_, index, sample);
      transform_.choose({sample.height, sample.width}, epoch_, index, geometry);
      if (geometry.size() != size) fail_sizes(batch.indices.front(), size, index, geometry.size());
      transform_.apply(sample.pixels.data(), geometry, epoch_, index, images + i * values);
      collator.put(i, sample, geometry);
    }
  });
  batch.targets = collator.finish();
  return batch;
}

/// The size of an image after the transform. Where the images of the data set differ in size, the
/// image is read for it, into `sample`.
ImageSize Loader::Impl::new_size(int64_t index, Sample& sample) const {
  const Shape& image = dataset_->info().image;
  ImageSize size{image[0], image[1]};
  if (size.height == 0) {
    read_checked(*dataset_, index, sample);
    size = {sample.height, sample.width};
  }
  Geometry geometry;
  transform_.choose(size, epoch_, index, geometry);
  return geometry.size();
}

void Loader::Impl::fail_sizes(int64_t index, const ImageSize& size, int64_t other,
                              const ImageSize& other_size) const {
  fail(ErrorKind::data,
       "loader: images of a batch differ in size: {} is {}x{} and {} is {}x{}; use a batch of 1 or "
       "an augmentation that makes them equal",
       dataset_->source(index), size.height, size.width, dataset_->source(other), other_size.height,
       other_size.width);
}

Batch Loader::Impl::take() {
  std::unique_lock lock(mutex_);
  Slot& mine = slot(next_);
  ready_.wait(lock, [&] { return mine.done; });
  Slot result = std::move(mine);
  mine = Slot();
  ++next_;
  lock.unlock();
  room_.notify_one();
  if (result.error) std::rethrow_exception(result.error);
  return std::move(result.batch);
}

void Loader::Impl::work() {
  const SerialThread serial;
  std::unique_lock lock(mutex_);
  while (true) {
    room_.wait(lock, [&] {
      return stopping_ || claimed_ == end_ || claimed_ < next_ + options_.prefetch;
    });
    if (stopping_ || claimed_ == end_) return;
    const int64_t number = claimed_++;
    lock.unlock();
    Slot result;
    try {
      result.batch = make(number);
    } catch (...) {
      result.error = std::current_exception();
    }
    result.done = true;
    lock.lock();
    slot(number) = std::move(result);
    ready_.notify_one();
  }
}

void Loader::Impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (Slot& slot : slots_) slot = Slot();
  next_ = end_;
}

Loader::Loader(DatasetPtr dataset, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {}
Loader::~Loader() = default;

const Dataset& Loader::dataset() const {
  return *impl_->dataset_;
}
const LoaderOptions& Loader::options() const {
  return impl_->options_;
}
int64_t Loader::batch_count() const {
  return impl_->batches_;
}
int64_t Loader::image_count() const {
  return impl_->images_;
}
void Loader::start(int64_t epoch, int64_t first_batch) {
  impl_->start(epoch, first_batch);
}
bool Loader::next(Batch& batch) {
  return impl_->next(batch);
}

}  // namespace diagrad::data
