#include "diagrad/nn/module.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <unordered_set>

#include "diagrad/core/error.h"

namespace diagrad::nn {
namespace {

using Visitor = std::function<void(const std::string&, const Module&)>;

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

/// Depth first, each module once.
void walk(const std::string& path, const Module& module, std::unordered_set<const Module*>& seen,
          const Visitor& visitor) {
  if (!seen.insert(&module).second) return;
  visitor(path, module);
  for (const auto& child : module.children()) {
    walk(joined(path, child.first), *child.second, seen, visitor);
  }
}

/// The tensors that `member` gives for a module and all below, each once.
template <typename Member>
std::vector<NamedTensor> collect(const Module& root, Member member) {
  std::vector<NamedTensor> found;
  std::unordered_set<const void*> seen;
  root.visit([&](const std::string& path, const Module& module) {
    for (const NamedTensor& own : member(module)) {
      if (seen.insert(own.tensor.id()).second) {
        found.push_back({joined(path, own.name), own.tensor});
      }
    }
  });
  return found;
}

/// The class of a module as it is written in the source: `diagrad::nn::Linear`.
std::string class_of(const Module& module) {
  const char* mangled = typeid(module).name();
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

}  // namespace

Tensor Module::forward(const Tensor& x) {
  fail(ErrorKind::usage, "module {}: has no forward of one tensor, got {}", class_of(*this),
       x.shape());
}

Module& Module::get_submodule(const std::string& path) {
  Module* module = this;
  for (size_t start = 0; start < path.size();) {
    const size_t dot = std::min(path.find('.', start), path.size());
    const std::string name = path.substr(start, dot - start);
    const auto found = std::find_if(module->children_.begin(), module->children_.end(),
                                    [&](const auto& child) { return child.first == name; });
    DG_CHECK(found != module->children_.end(), "module: there is no '{}' at the path '{}'", name,
             path);
    module = found->second.get();
    start = dot + 1;
  }
  return *module;
}

Tensor Module::call(const Inputs& inputs) {
  DG_CHECK(!inputs.time.defined() && !inputs.class_label.defined(),
           "module {}: takes an image alone, got {} beside it", class_of(*this),
           inputs.time.defined() ? "a time" : "a class");
  return forward(inputs.image);
}

void Module::visit(const Visitor& visitor) const {
  std::unordered_set<const Module*> seen;
  walk("", *this, seen, visitor);
}

std::vector<NamedTensor> Module::named_parameters() const {
  return collect(*this,
                 [](const Module& m) -> const std::vector<NamedTensor>& { return m.parameters_; });
}

std::vector<NamedTensor> Module::named_buffers() const {
  return collect(*this,
                 [](const Module& m) -> const std::vector<NamedTensor>& { return m.buffers_; });
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& child : children_) child.second->train(on);
}

void Module::to(DType dtype) {
  DG_CHECK(is_floating(dtype), "to: parameters are floating point, got {}", dtype);
  for (const NamedTensor& buffer : named_buffers()) {
    if (is_floating(buffer.tensor.dtype())) buffer.tensor.set_data(buffer.tensor.to(dtype));
  }
  for (const NamedTensor& parameter : named_parameters()) {
    const bool learned = parameter.tensor.requires_grad();
    parameter.tensor.set_requires_grad(false);
    parameter.tensor.set_data(parameter.tensor.to(dtype));
    parameter.tensor.set_requires_grad(learned);
  }
}

StateDict Module::state_dict() const {
  StateDict state;
  for (const NamedTensor& parameter : named_parameters()) state[parameter.name] = parameter.tensor;
  for (const NamedTensor& buffer : named_buffers()) state[buffer.name] = buffer.tensor;
  return state;
}

LoadReport Module::load_state_dict(const StateDict& state, const LoadOptions& options) {
  const StateDict live = state_dict();
  const LoadReport report = compare(live, state);
  if (options.strict && !report.complete()) {
    fail(ErrorKind::checkpoint, "load_state_dict: the state is of another model: {}",
         report.text());
  }
  return load(live, state);
}

Tensor Module::add_parameter(const std::string& name, const Tensor& tensor) {
  check_new(name);
  tensor.set_requires_grad(true);
  parameters_.push_back({name, tensor});
  return tensor;
}

Tensor Module::add_buffer(const std::string& name, const Tensor& tensor) {
  check_new(name);
  buffers_.push_back({name, tensor});
  return tensor;
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> module) {
  check_new(name);
  DG_CHECK(module != nullptr, "module: child '{}' is null", name);
  children_.emplace_back(name, std::move(module));
}

void Module::check_new(const std::string& name) const {
  const auto same = [&](const NamedTensor& other) { return other.name == name; };
  DG_CHECK(!name.empty() && name.find('.') == std::string::npos,
           "module: '{}' is no name of a part: it must not be empty or hold a dot", name);
  DG_CHECK(std::none_of(parameters_.begin(), parameters_.end(), same) &&
               std::none_of(buffers_.begin(), buffers_.end(), same) &&
               std::none_of(children_.begin(), children_.end(),
                            [&](const auto& child) { return child.first == name; }),
           "module: the name '{}' is given twice", name);
}

}  // namespace diagrad::nn
