// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a header's JSON event by event into Header: no document tree, no recursion, each fault at its place.
#pragma once
#include "runtime/safetensors/Header.h"
#include <nlohmann/json.hpp>
#include <optional>

namespace maskjit::safetensors {

/// A SAX handler of nlohmann::json. Each handler returns false, with `fault` set, at the first thing that does not fit.
class HeaderReader {
public:
  Header header;
  std::optional<std::string> fault;

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(int64_t value) { return unexpected(std::to_string(value)); }
  bool number_unsigned(uint64_t value);
  bool number_float(double, const std::string &text) { return unexpected(text); }
  bool string(std::string &value);
  bool binary(nlohmann::json::binary_t &) { return unexpected("binary data"); }
  bool start_object(size_t);
  bool key(std::string &name);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool parse_error(size_t position, const std::string &, const nlohmann::json::exception &error);

private:
  // Document --{--> Top --"name"--> Value --{--> Tensor --"shape"--> Shape --[--> ShapeItems --]--> Tensor
  //                  \--"__metadata__"--> MetadataValue --{--> Metadata      (dtype, data_offsets alike)
  enum class State {
    Document,
    Top,
    Value,
    MetadataValue,
    Metadata,
    Text,
    Tensor,
    DType,
    Shape,
    ShapeItems,
    Offsets,
    OffsetItems,
    End
  };
  bool fail(std::string message);
  bool unexpected(const std::string &what);
  bool finishTensor();

  State state = State::Document;
  std::string name, metadataKey; // of the tensor or metadata entry being read
  Entry entry;
  std::vector<uint64_t> offsets;
  bool hasDType = false, hasShape = false, hasOffsets = false, hasMetadata = false;
};

} // namespace maskjit::safetensors
