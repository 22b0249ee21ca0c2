#include <nlohmann/json.hpp>

#include "diagrad/train/report/file_text.h"
#include "diagrad/train/report/run_files.h"
#include "diagrad/train/run/trainer.h"

namespace diagrad::train {

std::string result_json(const TrainResult& result, const Options& options) {
  const Evaluation& last = result.last;
  const nlohmann::json object = {{"format", 1},
                                 {"task", options.task},
                                 {"model", options.model},
                                 {"attention", options.attention},
                                 {"data", options.data},
                                 {"parameters", result.parameters},
                                 {"epochs", result.epochs},
                                 {"steps", result.steps},
                                 {"seconds", result.seconds},
                                 {"images_per_second", result.images_per_second},
                                 {"seed", result.seed},
                                 {"overfit_one_batch", options.overfit_one_batch},
                                 {"stopped", result.stopped},
                                 {"test",
                                  {{"metric", "accuracy"},
                                   {"weights", result.weights},
                                   {"last", last.accuracy},
                                   {"loss", last.loss},
                                   {"best", result.best},
                                   {"best_epoch", result.best_epoch},
                                   {"best_chosen_on", result.chosen_on},
                                   {"examples", last.examples},
                                   {"per_class", last.per_class},
                                   {"confusion", last.confusion}}}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<TrainResult> standing_result(const std::string& folder, const Options& options) {
  const std::string path = folder + "/result.json";
  auto result = read_result(path);
  if (!result) return std::nullopt;
  if (file_text(path) != result_json(*result, options) + "\n") return std::nullopt;
  result->folder = folder;
  return result;
}

}  // namespace diagrad::train
