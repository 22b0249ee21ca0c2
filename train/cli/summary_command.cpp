#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/summary.h"
#include "diagrad/nn/freeze.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/image_size.h"
#include "diagrad/train/cli/option_set.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/tasks/synthetic.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;

/// Of one image.
Shape without_batch(const Shape& shape) {
  Shape rest;
  for (int axis = 1; axis < shape.rank(); ++axis) rest.push_back(shape[axis]);
  return rest;
}

std::string mebibytes(int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

class SummaryCommand : public Command {
 public:
  void declare(Arguments& arguments) override {
    set_.declare(arguments,
                 {"task", "model", "model-opt", "attention", "sharing", "classes", "freeze"});
    arguments.heading("Command");
    arguments.option({"input", "HxWxC", "", "size of one image; empty: the model's, or 32x32x3"},
                     input_);
    arguments.flag({"json", "", "", "print JSON for programs"}, json_);
  }

  int run() override {
    train::Options options = set_.read();
    options.precision = "f32";
    const auto task = train::make_task(options.task);
    const Shape input = input_of(input_, options.model);
    options.classes = train::synthetic_outputs(*task, input, options.classes);
    const auto model = make_model(options, input);
    const int64_t frozen = nn::frozen_count(*model);
    data::Loader loader(
        train::synthetic_set(train::find_task(options.task), input, options.classes, 1, 0),
        {.batch = 1});
    data::Batch batch;
    loader.start(0);
    loader.next(batch);
    const models::Summary summary = models::summarize(*model, [&] { task->call(*model, batch); });
    options.sharing =
        nn::name(models::sharing_of(options.model, options.attention, options.sharing));
    Console console(false, json_);
    if (json_) {
      print_json(console, options, input, summary, frozen);
    } else {
      print_table(console, options, input, summary, frozen);
    }
    return kDone;
  }

 private:
  std::shared_ptr<nn::Module> make_model(const train::Options& options, const Shape& input) const {
    try {
      auto model = train::make_model(options, input, options.classes);
      nn::freeze(*model, options.freeze);
      return model;
    } catch (const Error& error) {
      throw set_.placed(error);
    }
  }

  static void print_json(Console& console, const train::Options& options, const Shape& input,
                         const models::Summary& summary, int64_t frozen) {
    ordered_json layers = ordered_json::array();
    for (const models::LayerRow& row : summary.layers) {
      const Shape output = without_batch(row.output);
      layers.push_back({{"name", row.name},
                        {"operation", row.operation},
                        {"output", std::vector<int64_t>(output.begin(), output.end())},
                        {"calls", row.calls},
                        {"parameters", row.parameters},
                        {"multiply_adds", row.multiply_adds}});
    }
    const ordered_json result = {{"format", train::kFormat},
                                 {"model", options.model},
                                 {"attention", options.attention},
                                 {"sharing", options.sharing},
                                 {"classes", options.classes},
                                 {"input", std::vector<int64_t>(input.begin(), input.end())},
                                 {"parameters", summary.parameters},
                                 {"frozen_parameters", frozen},
                                 {"multiply_adds", summary.multiply_adds},
                                 {"activation_bytes", summary.activation_bytes},
                                 {"layers", std::move(layers)}};
    console.json(result.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  }

  static void print_table(Console& console, const train::Options& options, const Shape& input,
                          const models::Summary& summary, int64_t frozen) {
    std::vector<std::vector<std::string>> rows;
    for (const models::LayerRow& row : summary.layers) {
      rows.push_back({row.name, row.operation, without_batch(row.output).str(),
                      thousands(row.calls), thousands(row.parameters), compact(row.multiply_adds)});
    }
    console.line(console.styled(
        Style::bold,
        fmt::format("{}, attention {} per {}, {} classes, images {}", options.model,
                    printable(options.attention), options.sharing, options.classes, input.str())));
    const std::string sizes = train::sizes_of_model(options, input);
    if (!sizes.empty()) console.line(sizes);
    console.line("");
    const size_t room = console.live() ? console.width() : std::string::npos;
    constexpr size_t kOperation = 1;  // the layer's name mostly says it
    for (const std::string& line :
         table({"layer", "operation", "output", ">calls", ">parameters", ">mult-adds"}, rows, room,
               kOperation)) {
      console.line(line);
    }
    console.line("");
    console.line(fmt::format("parameters      {:>13}   {} in f32; a shared layer counts once",
                             thousands(summary.parameters), mebibytes(4 * summary.parameters)));
    if (frozen > 0) {
      console.line(fmt::format("frozen          {:>13}   not trained; {} are", thousands(frozen),
                               thousands(summary.parameters - frozen)));
    }
    console.line(
        fmt::format("multiply-adds   {:>13}   of one image; a shared layer counts per call",
                    compact(summary.multiply_adds)));
    console.line(fmt::format("activations     {:>13}   of one image, results of all operations",
                             mebibytes(summary.activation_bytes)));
  }

  OptionSet set_;
  std::string input_;
  bool json_ = false;
};

[[maybe_unused]] const bool registered =
    register_command({.name = "summary",
                      .help = "list layers with shapes, parameters and multiply-adds",
                      .position = 40,
                      .make = [] { return std::make_unique<SummaryCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
