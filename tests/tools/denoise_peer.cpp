// Our side of the comparisons of tests/parity/replay_unet.py and published_unet.py:
//
//     denoise_peer steps FOLDER OPTION=VALUE...   trains max-steps steps of the task denoise
//     denoise_peer grid  FOLDER OPTION=VALUE...   the same, then the loss over the task's grid
//     denoise_peer call  FOLDER OPTION=VALUE...   the net on FOLDER/inputs.safetensors
//
// Options are those of `diagrad train`, items of lists joined by commas. What stands in the files
// is said at the functions that write them. Images [B,H,W,C], convolution weights [O,kh,kw,I]. Exit
// code 2 for other arguments, 1 where something fails.

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/core/math_mode.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/nn/safetensors.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/init.h"
#include "diagrad/train/run/run_parts.h"
#include "diagrad/train/run/step.h"
#include "diagrad/train/tasks/denoise/evaluator.h"

namespace diagrad::train {
namespace {

Tensor number(double value) {
  return Tensor::full({1}, value, DType::f64);
}

class Peer {
 public:
  Peer(std::string folder, const Options& options)
      : folder_(std::move(folder)), job_(make_job(options)), parts_(job_) {
    if (!job_.options.init.empty()) apply_init(read_init(job_), parts_);
  }

  void steps();
  void grid();
  void call();

 private:
  const Diffusion& diffusion() const {
    return dynamic_cast<const Denoise&>(*job_.task).diffusion();
  }
  void write(const std::string& name, const TensorMap& tensors) const {
    nn::write_safetensors(folder_ + "/" + name + ".safetensors", tensors);
  }
  nn::StateDict draws_of(const data::Batch& batch, int64_t number) const;
  void write_grid_noise(const OptionValues& task) const;

  std::string folder_;
  TrainJob job_;
  RunParts parts_;
};

/// What Denoise::forward draws for a batch: `image`, `noise`, `time` i64 and, of a net that takes
/// classes, `class_label` with the null class where the label was dropped.
nn::StateDict Peer::draws_of(const data::Batch& batch, int64_t number) const {
  const nn::RandomScope random(static_cast<uint64_t>(job_.options.seed),
                               static_cast<uint64_t>(number));
  const Tensor images = batch.images.to(dtype_of(*job_.model));
  const TrainingDraw draw = draw_training(images, diffusion().schedule.steps());
  nn::StateDict draws = {{"image", images}, {"noise", draw.noise}};
  draws["time"] = Tensor::from(std::span<const int64_t>(draw.steps), {batch.size()});
  const Tensor classes = class_labels(*job_.model, batch);
  if (classes.defined()) {
    draws["class_label"] = drop_labels(*job_.model, classes, diffusion().label_dropout);
  }
  return draws;
}

/// `weights`: those at the start. `step-000000` and so on: draws_of(), `loss` before the update,
/// `lr`, `gradient_norm` before clipping.
void Peer::steps() {
  write("weights", job_.model->state_dict());
  Stepper stepper(*job_.task, *job_.model, *parts_.optimizer, job_.options);
  int64_t step = 0;
  for (int64_t epoch = 0; step < job_.options.max_steps; ++epoch) {
    parts_.loader.start(epoch);
    data::Batch batch;
    while (step < job_.options.max_steps && parts_.loader.next(batch)) {
      nn::StateDict record = draws_of(batch, step);
      const double lr = parts_.schedule.lr(step);
      const StepResult result =
          stepper.run({&batch, 1}, {.step = step + 1, .epoch = epoch + 1, .first_batch = step}, lr);
      record["loss"] = number(result.loss);
      record["lr"] = number(lr);
      record["gradient_norm"] = number(result.grad_norm);
      write(fmt::format("step-{:06}", step), record);
      ++step;
      if (parts_.ema) parts_.ema->update(step);
    }
  }
}

/// `grid-images`: `image`, and `label` where there is one; `grid-000` and so on, a file for each
/// step of the grid: `noise` and the step, `time`; `grid-loss`: `raw`, and `ema` where it is on.
void Peer::grid() {
  steps();
  const EvaluateOptions options{.batch = job_.options.eval_batch,
                                .normalization = job_.options.normalization};
  const auto loss = [&] {
    return number(evaluate(*job_.task, *job_.model, job_.test, options).metric("loss"));
  };
  nn::StateDict losses = {{"raw", loss()}};
  if (parts_.ema) {
    const EmaScope scope(*parts_.ema);
    losses["ema"] = loss();
  }
  write("grid-loss", losses);
  const TaskInfo& info = find_task(job_.options.task);
  write_grid_noise(OptionValues("task", parse_selection("task", job_.options.task), info.options));
}

void Peer::write_grid_noise(const OptionValues& task) const {
  const std::vector<int64_t> images = grid_images(job_.test->size(), task.get_int("grid-images"));
  const auto count = std::ssize(images);
  data::Loader loader(data::subset(job_.test, images),
                      {.batch = count, .normalization = job_.options.normalization});
  loader.start(0);
  data::Batch batch;
  DG_CHECK(loader.next(batch), "denoise_peer: no images in the grid");
  nn::StateDict record = {{"image", batch.images}};
  const Tensor classes = class_labels(*job_.model, batch);
  if (classes.defined()) record["class_label"] = classes;
  write("grid-images", record);
  Shape image = batch.images.shape();
  image.erase(0);
  const std::vector<int64_t> steps =
      grid_steps(diffusion().schedule.steps(), task.get_int("grid-times"));
  for (size_t j = 0; j < steps.size(); ++j) {
    const Tensor noise =
        image_noise("denoise grid", /*seed=*/0, images, j, image, batch.images.dtype());
    write(fmt::format("grid-{:03}", j),
          {{"noise", noise}, {"time", Tensor::from<int64_t>({steps[j]}, {1})}});
  }
}

/// Reads `image`, `time` and, where it is there, `class_label`; writes `outputs`: `output`.
void Peer::call() {
  const NoGrad no_grad;
  const DType dtype = dtype_of(*job_.model);
  nn::StateDict given = nn::SafetensorsReader(folder_ + "/inputs.safetensors").read_all();
  nn::Inputs inputs{.image = given.at("image").to(dtype), .time = given.at("time").to(dtype)};
  if (given.count("class_label") != 0) inputs.class_label = given.at("class_label");
  job_.model->eval();
  write("outputs", {{"output", job_.model->call(inputs)}});
}

std::vector<std::string> items_of(const std::string& list) {
  std::vector<std::string> items;
  std::istringstream stream(list);
  for (std::string item; std::getline(stream, item, ',');) items.push_back(item);
  return items;
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  options.task = "denoise";
  options.model = "unet";
  options.attention = "none";
  options.augment = {"none"};
  options.optimizer = "adamw";
  options.weight_decay = 0.0;
  options.schedule = "constant";
  options.math = "exact";
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    const OptionInfo* info = find_option(argument.substr(0, equals));
    DG_CHECK(info != nullptr && equals != std::string::npos, "'{}' is no option=value", argument);
    const std::string value = argument.substr(equals + 1);
    const bool is_list = std::holds_alternative<std::vector<std::string> Options::*>(info->member);
    assign(options, *info, info->option.name,
           is_list ? items_of(value) : std::vector<std::string>{value});
  }
  return options;
}

void run(const std::string& command, const std::string& folder,
         const std::vector<std::string>& arguments) {
  const Options options = parse(arguments);
  const MathModeScope math(parse_math_mode(options.math));
  std::filesystem::create_directories(folder);
  Peer peer(folder, options);
  if (command == "steps") peer.steps();
  if (command == "grid") peer.grid();
  if (command == "call") peer.call();
}

}  // namespace
}  // namespace diagrad::train

int main(int argc, char** argv) {
  const std::string command = argc < 3 ? "" : argv[1];
  if (command != "steps" && command != "grid" && command != "call") {
    std::fprintf(stderr, "denoise_peer steps|grid|call FOLDER OPTION=VALUE...\n");
    return 2;
  }
  try {
    diagrad::train::run(command, argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "denoise_peer: %s\n", error.what());
    return 1;
  }
  return 0;
}
