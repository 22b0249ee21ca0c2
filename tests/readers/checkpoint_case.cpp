#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "diagrad/nn/module.h"
#include "diagrad/nn/safetensors_header.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/trained_model.h"
#include "tests/readers/reader_case.h"

namespace diagrad::testing {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

nn::TensorMap tensors() {
  return {{"weight", Tensor::from<float>({1.0F, -2.5F, 3.0F, 4.0F, 5.0F, 6.0F}, {2, 3})},
          {"scalar", Tensor::full({}, 0.1, DType::f64)},
          {"none", Tensor::empty({0, 7})},
          {"half", Tensor::full({3}, 1.5, DType::bf16)},
          {"count", Tensor::arange(4)},
          {"bytes \"quoted\"\n", Tensor::full({5}, 200, DType::u8)}};
}

const std::string& safetensors() {
  static const std::string bytes = [] {
    const std::string path = input_file("whole.safetensors", "");
    nn::write_safetensors(path, tensors(), {{"format", "diagrad"}});
    return text_of(path);
  }();
  return bytes;
}

std::string header_of(const std::string& file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  return file.substr(sizeof length, length);
}

/// A tiny net, so that many of them can be built.
train::Checkpoint small_checkpoint() {
  train::Checkpoint checkpoint;
  train::Options& options = checkpoint.info.options;
  options.model = "resnet";
  options.model_opt = {"depth=8", "width=2"};
  options.attention = "se:reduction=2";
  options.classes = 2;
  checkpoint.info.data.name = "pets";
  checkpoint.info.data.input = {8, 8, 3};
  checkpoint.info.data.classes = {"cat", "dog"};
  checkpoint.info.data.train_images = 640;
  checkpoint.info.data.test_images = 200;
  checkpoint.info.progress.lr = 0.1;
  checkpoint.info.progress.sums = {.examples = 8, .loss = 5.5, .values = {3.0}};
  checkpoint.info.progress.last = {{"loss", 0.75}, {"accuracy", 0.5}};
  checkpoint.info.primary = train::make_task(options.task)->primary();
  checkpoint.info.chosen_on = "test";
  const auto model = train::make_model(options, checkpoint.info.data.input, options.classes);
  for (const auto& named : model->state_dict()) {
    checkpoint.tensors["model." + named.first] = named.second;
  }
  return checkpoint;
}

/// A checkpoint file in parts, so that another description can be put into it.
struct WholeFile {
  std::vector<nn::TensorEntry> entries;
  nn::TensorMap tensors;
  std::string description;
  std::string data;  ///< the bytes of the tensors
};

WholeFile write_and_read(const train::Checkpoint& checkpoint) {
  const std::string path = input_file("whole.checkpoint", "");
  AtomicFile file(path);
  write_checkpoint(file, checkpoint);
  file.commit();
  const nn::SafetensorsReader reader(path);
  const std::string bytes = text_of(path);
  return {reader.entries(), reader.read_all(), reader.metadata().at("diagrad"),
          bytes.substr(sizeof(uint64_t) + header_of(bytes).size())};
}

const WholeFile& whole() {
  static const WholeFile file = write_and_read(small_checkpoint());
  return file;
}

/// The path of the whole file with another description of itself, whose checksum is right.
std::string file_with(const std::string& text) {
  nn::Metadata metadata = {{"diagrad", text}};
  metadata["checksum"] = fmt::format("{:016x}", nn::checksum(whole().tensors, metadata));
  const std::string header = nn::detail::make_safetensors_header(whole().entries, metadata);
  const uint64_t length = header.size();
  return input_file(
      "described",
      std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + whole().data);
}

std::vector<std::string> only(const std::string& text) {
  return {text};
}

const ReaderRegistration registered{
    {"safetensors", [] { return only(safetensors()); },
     [](const std::string& bytes) {
       nn::SafetensorsReader(input_file("a.safetensors", bytes)).read_all();
     }},
    {"safetensors-header", [] { return only(header_of(safetensors())); },
     [](const std::string& text) {
       const size_t data =
           safetensors().size() - sizeof(uint64_t) - header_of(safetensors()).size();
       nn::detail::parse_safetensors_header("a.safetensors", text, static_cast<int64_t>(data));
     }},
    {"checkpoint", [] { return only(whole().description); },
     [](const std::string& text) { train::read_checkpoint(file_with(text)); }},
    {"trained-model", [] { return only(whole().description); },
     [](const std::string& text) { train::load_trained(file_with(text)); }, 300}};

}  // namespace
}  // namespace diagrad::testing
