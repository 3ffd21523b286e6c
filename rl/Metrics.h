// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Named numbers of a step, under TRL's names, averaged between two lines of the log.
#pragma once
#include <ATen/core/Tensor.h>
#include <map>
#include <string>
#include <vector>

namespace maskjit::rl {

class Metrics {
public:
  void set(const std::string &name, double value) { values[name].push_back(value); }
  void set(const std::string &name, const at::Tensor &value) { set(name, value.item().toDouble()); }
  /// Mean of the values recorded under the name (NaN ones left out; NaN if none is left).
  double mean(const std::string &name) const;
  /// The value recorded last (NaN if none).
  double last(const std::string &name) const;
  bool has(const std::string &name) const { return values.count(name) != 0; }
  std::vector<std::string> names() const;
  void clear() { values.clear(); }
  /// Everything recorded, for checkpoints.
  const std::map<std::string, std::vector<double>> &all() const { return values; }
  void restore(std::map<std::string, std::vector<double>> recorded) { values = std::move(recorded); }

private:
  std::map<std::string, std::vector<double>> values;
};

} // namespace maskjit::rl
