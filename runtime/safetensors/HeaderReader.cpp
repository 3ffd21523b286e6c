// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The states through which a safetensors header is read.
#include "runtime/safetensors/HeaderReader.h"
#include <fmt/format.h>

namespace maskjit::safetensors {

bool HeaderReader::fail(std::string message) {
  fault = std::move(message);
  return false;
}

bool HeaderReader::unexpected(const std::string &what) {
  switch (state) {
  case State::Document:
  case State::End:
    return fail(fmt::format("the header is {}, expected a JSON object", what));
  case State::MetadataValue:
    return fail(fmt::format("__metadata__ is {}, expected an object of strings", what));
  case State::Text:
  case State::Metadata:
    return fail(fmt::format("__metadata__ {} is {}, expected a string", quoteName(metadataKey), what));
  case State::Top:
  case State::Value:
    return fail(
        fmt::format("tensor {} is {}, expected an object with dtype, shape and data_offsets", quoteName(name), what));
  case State::Tensor:
  case State::DType:
    return fail(fmt::format("tensor {}: dtype is {}, expected a string", quoteName(name), what));
  case State::Shape:
  case State::ShapeItems:
    return fail(fmt::format("tensor {}: shape has {}, expected an array of integers from 0 to 2^63 - 1",
                            quoteName(name), what));
  case State::Offsets:
  case State::OffsetItems:
    break;
  }
  return fail(
      fmt::format("tensor {}: data_offsets has {}, expected two integers from 0 to 2^64 - 1", quoteName(name), what));
}

bool HeaderReader::number_unsigned(uint64_t value) {
  if (state == State::ShapeItems && value <= INT64_MAX) {
    if (entry.shape.size() == kMaxRank)
      return fail(fmt::format("tensor {}: shape has more than {} dimensions", quoteName(name), kMaxRank));
    entry.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (state == State::OffsetItems) {
    if (offsets.size() == 2)
      return fail(fmt::format("tensor {}: data_offsets has more than two integers", quoteName(name)));
    offsets.push_back(value);
    return true;
  }
  return unexpected(std::to_string(value));
}

bool HeaderReader::string(std::string &value) {
  if (state == State::Text) {
    header.metadata[metadataKey] = std::move(value);
    state = State::Metadata;
    return true;
  }
  if (state == State::DType) {
    entry.dtype = std::move(value);
    state = State::Tensor;
    return true;
  }
  return unexpected(quoteName(value));
}

bool HeaderReader::start_object(size_t) {
  switch (state) {
  case State::Document:
    state = State::Top;
    return true;
  case State::MetadataValue:
    state = State::Metadata;
    return true;
  case State::Value:
    state = State::Tensor;
    return true;
  default:
    return unexpected("an object");
  }
}

bool HeaderReader::key(std::string &text) {
  if (state == State::Top) {
    if (text == "__metadata__") {
      if (std::exchange(hasMetadata, true))
        return fail("__metadata__ occurs twice");
      state = State::MetadataValue;
      return true;
    }
    if (header.tensors.count(text))
      return fail(fmt::format("tensor {} occurs twice", quoteName(text)));
    name = std::move(text);
    entry = {};
    offsets.clear();
    hasDType = hasShape = hasOffsets = false;
    state = State::Value;
    return true;
  }
  if (state == State::Metadata) {
    if (header.metadata.count(text))
      return fail(fmt::format("__metadata__ {} occurs twice", quoteName(text)));
    metadataKey = std::move(text);
    state = State::Text;
    return true;
  }
  const bool isDType = text == "dtype", isShape = text == "shape", isOffsets = text == "data_offsets";
  if (!isDType && !isShape && !isOffsets)
    return fail(fmt::format("tensor {}: unknown field {}, expected dtype, shape and data_offsets", quoteName(name),
                            quoteName(text)));
  if (std::exchange(isDType ? hasDType : isShape ? hasShape : hasOffsets, true))
    return fail(fmt::format("tensor {}: {} occurs twice", quoteName(name), text));
  state = isDType ? State::DType : isShape ? State::Shape : State::Offsets;
  return true;
}

bool HeaderReader::end_object() {
  if (state == State::Tensor)
    return finishTensor();
  state = state == State::Metadata ? State::Top : State::End;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (state != State::Shape && state != State::Offsets)
    return unexpected("an array");
  state = state == State::Shape ? State::ShapeItems : State::OffsetItems;
  return true;
}

bool HeaderReader::end_array() {
  if (state == State::OffsetItems && offsets.size() != 2)
    return fail(fmt::format("tensor {}: data_offsets has {} integers, expected two", quoteName(name), offsets.size()));
  state = State::Tensor;
  return true;
}

bool HeaderReader::finishTensor() {
  if (!hasDType || !hasShape || !hasOffsets)
    return fail(fmt::format("tensor {} has no {}", quoteName(name),
                            !hasDType   ? "dtype"
                            : !hasShape ? "shape"
                                        : "data_offsets"));
  entry.begin = offsets[0];
  entry.end = offsets[1];
  header.tensors.emplace(std::move(name), std::move(entry));
  name.clear();
  state = State::Top;
  return true;
}

bool HeaderReader::parse_error(size_t position, const std::string &, const nlohmann::json::exception &error) {
  const std::string_view reason = error.what();
  if (reason.find("UTF-8") != reason.npos)
    return fail(fmt::format("the header is not UTF-8 at byte {}", position));
  return fail(fmt::format("the header is not JSON at byte {}", position));
}

} // namespace maskjit::safetensors
