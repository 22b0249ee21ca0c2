#include "diagrad/nn/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "diagrad/core/error.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;
using testing::TemporaryFolder;

std::string bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A new file each time: truncating an old one costs a flush of the disk on some file systems.
void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A file of this header and `data` zero bytes.
std::string with_header(const std::string& header, size_t data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\0');
}

TensorMap examples() {
  return {{"weight", Tensor::from<float>({1.0F, -2.5F, 3.0F, 4.0F, 5.0F, 6.0F}, {2, 3})},
          {"scalar", Tensor::full({}, 0.1, DType::f64)},
          {"none", Tensor::empty({0, 7})},
          {"half", Tensor::full({3}, 1.5, DType::bf16)},
          {"count", Tensor::arange(4)},
          {"small", Tensor::full({2, 2}, 7, DType::i32)},
          {"bytes \"quoted\"\n", Tensor::full({5}, 200, DType::u8)}};
}

TEST_CASE("safetensors come back as they were written") {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.safetensors");
  const TensorMap tensors = examples();
  write_safetensors(path, tensors, {{"format", "diagrad"}, {"text", "caf\xc3\xa9 \"x\"\n"}});

  const SafetensorsReader reader(path);
  CHECK(reader.metadata().at("text") == "caf\xc3\xa9 \"x\"\n");
  const TensorMap back = reader.read_all();
  REQUIRE(back.size() == tensors.size());
  for (const auto& named : tensors) {
    const Tensor& tensor = back.at(named.first);
    CHECK(tensor.shape() == named.second.shape());
    CHECK(tensor.dtype() == named.second.dtype());
    CHECK(to_string(tensor) == to_string(named.second));
  }
  CHECK(checksum(back, reader.metadata()) == checksum(tensors, reader.metadata()));

  const std::string again = folder.path("b.safetensors");
  write_safetensors(again, back, reader.metadata());
  CHECK(bytes_of(again) == bytes_of(path));
  CHECK((bytes_of(path).size() - (8 + 32 + 24 + 16 + 6 + 5)) % 8 == 0);  // the header is padded
}

TEST_CASE("a strided tensor is written in row-major order") {
  const TemporaryFolder folder;
  const Tensor matrix = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  write_safetensors(folder.path("t"), {{"t", matrix.strided({3, 2}, {1, 3})}});
  const Tensor back = SafetensorsReader(folder.path("t")).read_all().at("t");
  CHECK(to_string(back) == to_string(Tensor::from<float>({1, 4, 2, 5, 3, 6}, {3, 2})));
}

TEST_CASE("the checksum sees a change of any bit, name, shape or metadata") {
  const TensorMap tensors = {{"a", Tensor::zeros({19}, DType::u8)}};
  const uint64_t sum = checksum(tensors, {});
  for (int64_t bit = 0; bit < 19 * 8; ++bit) {
    TensorMap changed = {{"a", tensors.at("a").clone()}};
    changed.at("a").data<uint8_t>()[bit / 8] = static_cast<uint8_t>(1 << (bit % 8));
    CHECK(checksum(changed, {}) != sum);
  }
  CHECK(checksum({{"b", tensors.at("a")}}, {}) != sum);
  CHECK(checksum({{"a", tensors.at("a").strided({19, 1}, {1, 1})}}, {}) != sum);
  CHECK(checksum(tensors, {{"", ""}}) != sum);
}

TEST_CASE("a file that breaks a rule of the format is refused with the reason") {
  const TemporaryFolder folder;
  const std::string path = folder.path("bad");
  const auto complaint = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    std::string text = error_message([&] { SafetensorsReader(path).read_all(); });
    CHECK(text.find('\n') == std::string::npos);
    return text.substr(0, path.size()) == path ? text.substr(path.size() + 2) : "no path: " + text;
  };
  const auto entry = [](const char* name, const char* shape, const char* offsets) {
    return std::string("\"") + name + R"(":{"dtype":"F32","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string good = entry("a", "[2]", "[0,8]");
  CHECK(complaint(with_header("{" + good + "}  ", 8)).substr(0, 8) == "no path:");  // no error

  CHECK(complaint("") == "has 0 bytes, too few for a safetensors file");
  CHECK(complaint(with_header("{}", 0).substr(0, 9)).find("announces a header of 2 bytes") == 0);
  CHECK(complaint(std::string(8, '\xff') + "{}").find("announces a header of 184467440") == 0);
  CHECK(complaint(with_header(" {}", 0)) == "the header does not begin with '{'");
  CHECK(complaint(with_header("{\"\xff\":1}", 0)) == "the header is not valid JSON at byte 3");
  CHECK(complaint(with_header(std::string("{} \0}", 5), 0)) ==
        "the header is not valid JSON at byte 4");
  CHECK(complaint(with_header("{} x", 0)).find("is not valid JSON") != std::string::npos);
  CHECK(complaint(with_header("{" + good + "," + good + "}", 8)) ==
        "\"a\" comes twice in the header");
  CHECK(complaint(with_header(R"({"__metadata__":{"k":"1","k":"2"}})", 0)) ==
        "\"k\" comes twice in the header");
  CHECK(complaint(with_header(R"({"__metadata__":{"k":1}})", 0)) ==
        "the header has 1 where it must not, at \"k\"");
  CHECK(complaint(with_header("{" + good + "}", 7)) ==
        "the tensors need 8 bytes of data, the file has 7; it is cut short");
  CHECK(complaint(with_header("{" + good + "}", 12)) ==
        "the tensors need 8 bytes of data, the file has 12");
  CHECK(complaint(with_header("{" + good + "," + entry("b", "[1]", "[4,8]") + "}", 8)) ==
        "tensor \"b\" begins at byte 4 of the data, expected 8 (an overlap)");
  CHECK(complaint(with_header("{" + good + "," + entry("b", "[1]", "[12,16]") + "}", 16)) ==
        "tensor \"b\" begins at byte 12 of the data, expected 8 (a hole)");
  CHECK(complaint(with_header("{" + entry("a\\n", "[3]", "[0,8]") + "}", 8)) ==
        R"(tensor "a\n": f32 [3] needs 12 bytes, its data_offsets are [0, 8])");
  CHECK(complaint(with_header("{" + entry("a", "[4611686018427387904,4]", "[0,0]") + "}", 0)) ==
        R"(tensor "a": shape [4611686018427387904,4] overflows)");
  CHECK(complaint(with_header("{" + entry("a", "[0,9223372036854775807]", "[0,0]") + "}", 0)) ==
        R"(tensor "a": shape [0,9223372036854775807] overflows)");
  CHECK(complaint(with_header("{" + entry("a", "[-1]", "[0,4]") + "}", 4)) ==
        "the header has -1 where it must not, at \"shape\"");
  CHECK(complaint(with_header("{" + entry("a", "[18446744073709551615]", "[0,4]") + "}", 4)) ==
        "tensor \"a\": the number 18446744073709551615 is too large");
  CHECK(complaint(with_header("{" + entry("a", "[1,1,1,1,1,1,1,1,1]", "[0,4]") + "}", 4)) ==
        "tensor \"a\": more than 8 numbers in its shape");
  CHECK(complaint(with_header(R"({"a":{"dtype":"F8","shape":[],"data_offsets":[0,1]}})", 1)) ==
        "tensor \"a\": dtype \"F8\" is not supported, only F32, F64, BF16, F16, I64, I32 and U8 "
        "are");
  CHECK(complaint(with_header(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8)) ==
        "tensor \"a\": f16 [2] needs 4 bytes, its data_offsets are [0, 8]");
  CHECK(complaint(with_header(R"({"a":{"dtype":"F32","shape":[]}})", 0)) ==
        "tensor \"a\": needs dtype, shape and data_offsets, and has 2 of them");
  CHECK(complaint(with_header(R"({"a":{"color":1}})", 0)) ==
        "tensor \"a\": unknown field \"color\"");
  CHECK(complaint(with_header("{\"a\":" + std::string(100000, '['), 0)) ==
        "the header has an array where it must not, at \"a\"");
  CHECK(error_message([&] { SafetensorsReader(folder.path("absent")); }) ==
        folder.path("absent") + ": cannot read: No such file or directory");
  CHECK(error_message([&] { SafetensorsReader(folder.path()); }) ==
        folder.path() + ": is not a regular file");
}

TEST_CASE("half precision is read as f32") {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header;
  bytes += std::string("\x00\x3c\x00\xc5\x01\x00", 6);  // 1, -5, 2^-24
  const std::string path = folder.write("half.safetensors", {bytes.begin(), bytes.end()});
  const Tensor a = SafetensorsReader(path).read_all().at("a");
  CHECK(a.dtype() == DType::f32);
  CHECK(a.shape() == Shape{3});
  CHECK(a.data<float>()[0] == 1.0F);
  CHECK(a.data<float>()[1] == -5.0F);
  CHECK(a.data<float>()[2] == 0x1p-24F);
}

}  // namespace
}  // namespace diagrad::nn
