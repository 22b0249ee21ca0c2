#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/nn/state_dict.h"

namespace diagrad::nn {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// As the class to condition on: none.
inline constexpr int64_t kNoClass = -1;

/// What a whole network may be called with; the registry of models says which of it one takes.
struct Inputs {
  Tensor image;             ///< [B,H,W,C]
  Tensor time = {};         ///< f32 or f64 [B]: a step of diffusion
  Tensor class_label = {};  ///< i64 [B]: the class to condition on, or kNoClass
};

/// A part of a network: parameters (learned), buffers (kept but not learned, such as running
/// statistics) and child modules, each named once where it is made:
///
///     class Block : public Module {
///      public:
///       Block() : conv_(add("conv", Conv2d({...}))), scale_(add_parameter("scale", ...)) {}
///       Tensor forward(const Tensor& x) override { return mul(conv_->forward(x), scale_); }
///      private:
///       std::shared_ptr<Conv2d> conv_;
///       Tensor scale_;
///     };
///
/// Full names join the path with dots: `layer1.0.conv.weight`. What is reached on several paths,
/// as a module shared by several blocks, appears once, under the first of them.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Throws in modules whose forward takes something else than one tensor.
  virtual Tensor forward(const Tensor& x);
  /// For networks that take more than an image; by default forward(image), and Error(usage) where
  /// more is given.
  virtual Tensor call(const Inputs& inputs);
  /// K, the classes that a network may be conditioned on: it takes Inputs::class_label in [0, K],
  /// where K is the null class, which stands for none. 0: it takes no class.
  virtual int64_t class_count() const { return 0; }

  /// Handles, in the order in which they were added, children after own ones.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& children() const {
    return children_;
  }
  /// The module at a path of names, such as `layer1.0`, or this one for an empty path. Throws where
  /// there is none.
  Module& get_submodule(const std::string& path);
  /// Adds a child from outside: for parts that are made after the module that owns them.
  template <typename M>
  std::shared_ptr<M> add_module(const std::string& name, std::shared_ptr<M> module) {
    return add(name, std::move(module));
  }
  /// Calls `visitor` with this module (empty name) and every one below, each once.
  void visit(
      const std::function<void(const std::string& name, const Module& module)>& visitor) const;

  /// Sets the mode of this module and all below: dropout and batch statistics depend on it.
  virtual void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Converts floating-point parameters and buffers; every handle of them sees it. Gradients are
  /// dropped.
  void to(DType dtype);

  /// Handles of parameters and buffers by full name.
  StateDict state_dict() const;
  /// Copies values into parameters and buffers. Strict: throws Error(checkpoint) before any change
  /// unless names, shapes and dtypes are the same; else loads what fits and reports the rest.
  LoadReport load_state_dict(const StateDict& state, const LoadOptions& options = {});

 protected:
  /// Adds a child and gives it back.
  template <typename M>
  std::shared_ptr<M> add(const std::string& name, std::shared_ptr<M> module) {
    add_child(name, module);
    return module;
  }
  template <typename M>
  requires std::is_base_of_v<Module, M> std::shared_ptr<M> add(const std::string& name, M module) {
    return add(name, std::make_shared<M>(std::move(module)));
  }
  /// Adds a tensor and gives back a handle of it; a parameter requires gradients from then on.
  Tensor add_parameter(const std::string& name, const Tensor& tensor);
  Tensor add_buffer(const std::string& name, const Tensor& tensor);

 private:
  void add_child(const std::string& name, std::shared_ptr<Module> module);
  void check_new(const std::string& name) const;

  std::vector<NamedTensor> parameters_;
  std::vector<NamedTensor> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace diagrad::nn
