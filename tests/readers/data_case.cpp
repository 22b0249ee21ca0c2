#include "diagrad/data/cifar.h"
#include "diagrad/data/npz.h"
#include "diagrad/data/registry.h"
#include "diagrad/nn/attention/attention.h"
#include "tests/data/npz_bytes.h"
#include "tests/data/support.h"
#include "tests/readers/reader_case.h"

namespace diagrad::testing {
namespace {

std::string records(int64_t count, const data::CifarLayout& layout) {
  const std::vector<uint8_t> bytes = cifar_records(count, layout.classes, layout.label_bytes());
  return {bytes.begin(), bytes.end()};
}

std::string names(int64_t count) {
  std::string text;
  for (int64_t k = 0; k < count; ++k) text += "class " + std::to_string(k) + "\n";
  return text;
}

std::vector<std::string> records_examples(const data::CifarLayout& layout) {
  return {records(1, layout), records(3, layout)};
}

void open_records(const data::CifarLayout& layout, const std::string& bytes) {
  data::read_cifar(layout, {input_file(layout.name + ".bin", bytes)});
}

std::string folder_of(const std::string& file) {
  return file.substr(0, file.rfind('/'));
}

void open_cifar10_named(const std::string& text) {
  const data::CifarLayout layout = data::cifar10_layout();
  input_file("cifar10/data_batch_1.bin", records(1, layout));
  input_file("cifar10/test_batch.bin", records(1, layout));
  data::open_cifar10(folder_of(input_file("cifar10/batches.meta.txt", text)));
}

void open_cifar100_named(const std::string& text) {
  const data::CifarLayout layout = data::cifar100_layout();
  input_file("cifar100/train.bin", records(1, layout));
  input_file("cifar100/test.bin", records(1, layout));
  data::open_cifar100(folder_of(input_file("cifar100/fine_label_names.txt", text)));
}

const ReaderRegistration registered{
    {"cifar10", [] { return records_examples(data::cifar10_layout()); },
     [](const std::string& bytes) { open_records(data::cifar10_layout(), bytes); }},
    {"cifar100", [] { return records_examples(data::cifar100_layout()); },
     [](const std::string& bytes) { open_records(data::cifar100_layout(), bytes); }},
    {"cifar10-names",
     [] {
       return std::vector<std::string>{names(10), names(10) + "\r\n"};
     },
     open_cifar10_named},
    {"cifar100-names", [] { return std::vector<std::string>{names(100)}; }, open_cifar100_named},
    {"npz",
     [] {
       return std::vector<std::string>{npz_bytes(Shape{2, 2, 3, 3}, {}),
                                       npz_bytes(Shape{1, 1, 1, 1}, {4})};
     },
     [](const std::string& bytes) { data::read_npz(input_file("images.npz", bytes)); }},
    {"data-options",
     [] {
       return std::vector<std::string>{"size=48,train=2000", "seed=3", ""};
     },
     [](const std::string& text) { data::open_dataset("shapes:" + text); }},
    {"attention-options",
     [] {
       return std::vector<std::string>{"se:reduction=4,bias=false,at=after_conv2", "eca:at=in_norm",
                                       "dia-lstm:reduction=2", "none"};
     },
     [](const std::string& text) { const nn::AttentionFactory factory(text); }}};

}  // namespace
}  // namespace diagrad::testing
