#include "diagrad/models/first_weights.h"

#include <fmt/format.h>

#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::models {
namespace {

constexpr std::string_view kCounter = "num_batches_tracked";

/// [O,I,kh,kw] -> [O,kh,kw,I]
Tensor channels_last(const Tensor& w) {
  const Tensor whole = w.contiguous();
  const int64_t in = w.size(1);
  const int64_t height = w.size(2);
  const int64_t width = w.size(3);
  return whole
      .strided({w.size(0), height, width, in}, {in * height * width, width, 1, height * width})
      .contiguous();
}

std::vector<std::string> names_of(const nn::StateDict& tensors) {
  std::vector<std::string> names;
  for (const auto& named : tensors) names.push_back(named.first);
  return names;
}

/// Floating-point tensors in the dtype that the model has them in.
void convert_dtypes(nn::StateDict& given, const nn::StateDict& live) {
  for (auto& [name, tensor] : given) {
    const auto found = live.find(name);
    if (found == live.end()) continue;
    const DType wanted = found->second.dtype();
    if (is_floating(tensor.dtype()) && is_floating(wanted)) tensor = tensor.to(wanted);
  }
}

bool is_below(const std::string& name, const std::string& layer) {
  return !layer.empty() && name.starts_with(layer + ".");
}

bool has_form(const Tensor& tensor, const Tensor& wanted) {
  return tensor.shape() == wanted.shape() && tensor.dtype() == wanted.dtype();
}

/// Takes the head out of `given` where one of its tensors has another form.
void leave_out_head(nn::StateDict& given, const nn::StateDict& live, const std::string& head,
                    FirstWeights& result) {
  for (const auto& [name, tensor] : live) {
    const auto found = given.find(name);
    if (!is_below(name, head) || found == given.end() || has_form(found->second, tensor)) continue;
    result.replaced.push_back(fmt::format("{} is {} there, {} here", name,
                                          nn::form_of(found->second), nn::form_of(tensor)));
  }
  if (result.replaced.empty()) return;
  std::erase_if(given, [&](const auto& named) { return is_below(named.first, head); });
}

}  // namespace

nn::StateDict from_torch_layout(const nn::StateDict& tensors) {
  nn::StateDict converted;
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with(kCounter)) continue;
    converted[name] = tensor.rank() == 4 ? channels_last(tensor) : tensor;
  }
  return converted;
}

FirstWeights fit_weights(GivenState given, const ModelInfo* info, const nn::Module& model) {
  FirstWeights result;
  const nn::StateDict live = model.state_dict();
  if (info != nullptr && info->adapt) info->adapt(given, model);
  result.notes = std::move(given.notes);
  nn::StateDict& tensors = given.tensors;
  convert_dtypes(tensors, live);
  leave_out_head(tensors, live, info == nullptr ? "" : info->head, result);
  const nn::LoadReport report = nn::compare(live, tensors);
  if (!report.different.empty()) {
    fail(ErrorKind::checkpoint, "{}; only the head{} may have another size",
         nn::first_few(report.different),
         info == nullptr || info->head.empty() ? "" : " (" + info->head + ")");
  }
  for (const std::string& name : report.missing) {
    if (result.replaced.empty() || !is_below(name, info->head)) result.missing.push_back(name);
  }
  result.unexpected = report.unexpected;
  for (const auto& named : tensors) {
    if (live.count(named.first) == 1) result.tensors.insert(named);
  }
  if (result.tensors.empty()) {
    fail(ErrorKind::checkpoint,
         "none of its {} tensors is one of the model: it has {}; the model has {}", tensors.size(),
         tensors.empty() ? "none" : nn::first_few(names_of(tensors)),
         nn::first_few(names_of(live)));
  }
  return result;
}

}  // namespace diagrad::models
