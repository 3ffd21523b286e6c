// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A value or the message of what went wrong; how errors cross the library's border (no exceptions there).
#pragma once
#include <optional>
#include <string>
#include <utility>

namespace maskjit {

/// One finished message: what was expected, what came, what to do. Mask errors carry file:line:column and a caret.
struct Error {
  std::string message;
};

template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Error error) : failure(std::move(error)) {}
  explicit operator bool() const { return value.has_value(); }
  T &operator*() { return *value; }
  const T &operator*() const { return *value; }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }
  const Error &error() const { return failure; }

private:
  std::optional<T> value;
  Error failure;
};

template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)), failed(true) {}
  explicit operator bool() const { return !failed; }
  const Error &error() const { return failure; }

private:
  Error failure;
  bool failed = false;
};

} // namespace maskjit
