#include "diagrad/train/run/listener.h"

namespace diagrad::train {

void ListenerGroup::on_start(const TrainStart& start) {
  for (TrainListener* listener : listeners_) listener->on_start(start);
}

void ListenerGroup::on_step(const StepRow& row) {
  for (TrainListener* listener : listeners_) listener->on_step(row);
}

void ListenerGroup::on_evaluate(const std::string& set, int64_t done, int64_t total) {
  for (TrainListener* listener : listeners_) listener->on_evaluate(set, done, total);
}

void ListenerGroup::on_epoch(const EpochRow& row, bool best) {
  for (TrainListener* listener : listeners_) listener->on_epoch(row, best);
}

void ListenerGroup::on_evaluation(const EpochRow& row, const Evaluation& evaluation) {
  for (TrainListener* listener : listeners_) listener->on_evaluation(row, evaluation);
}

void ListenerGroup::on_save(const std::string& path, int64_t step) {
  for (TrainListener* listener : listeners_) listener->on_save(path, step);
}

void ListenerGroup::on_message(const std::string& text) {
  for (TrainListener* listener : listeners_) listener->on_message(text);
}

void ListenerGroup::on_result(const TrainResult& result) {
  for (TrainListener* listener : listeners_) listener->on_result(result);
}

void ListenerGroup::on_end(const TrainResult& result) {
  for (TrainListener* listener : listeners_) listener->on_end(result);
}

void ListenerGroup::on_fail(const Error& error, int64_t step) {
  for (TrainListener* listener : listeners_) listener->on_fail(error, step);
}

}  // namespace diagrad::train
