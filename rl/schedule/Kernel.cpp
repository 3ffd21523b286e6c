// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop schedule -> C.
#include "rl/schedule/Kernel.h"
#include "rl/schedule/Tricks.h"
#include <fmt/format.h>

namespace maskjit::rl {

namespace {

constexpr const char *kConstants = R"(// {text}
enum {{
  TILE_I = {tileI}, TILE_J = {tileJ}, TILE_K = {tileK}, // rows, columns and depth of a tile
  LANES = {vector}, // floats of a vector
  ROWS = {rows}, COLUMNS = {columns} // rows of a block, vectors of each
}};
)";

constexpr const char *kVector = R"(typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
)";
constexpr const char *kScalar = R"(typedef float vec;
)";

constexpr const char *kBlockHead = R"(
/* c[ROWS][COLUMNS * LANES] += a[ROWS][depth] b[depth][COLUMNS * LANES] */
static inline __attribute__((always_inline)) void block(
    const float *a, long a_row, long a_term, const float *b, long b_term, float *c, long c_row, int depth) {{
)";

// The loops over ROWS and COLUMNS have constant bounds and are unrolled, so that `sum` and `line` become registers.
constexpr const char *kBlockInRegisters = R"(  vec sum[ROWS][COLUMNS];
  for (int r = 0; r < ROWS; ++r)
    for (int x = 0; x < COLUMNS; ++x)
      sum[r][x] = *(const vec *)(c + r * c_row + x * LANES);
#pragma clang loop unroll_count({unroll})
  for (int t = 0; t < depth; ++t)
    for (int x = 0; x < COLUMNS; ++x) {{
      const vec line = *(const vec *)(b + t * b_term + x * LANES);
      for (int r = 0; r < ROWS; ++r)
        sum[r][x] += a[r * a_row + t * a_term] * line;
    }}
  for (int r = 0; r < ROWS; ++r)
    for (int x = 0; x < COLUMNS; ++x)
      *(vec *)(c + r * c_row + x * LANES) = sum[r][x];
}}
)";

constexpr const char *kBlockInMemory = R"(#pragma clang loop unroll_count({unroll})
  for (int t = 0; t < depth; ++t)
    for (int x = 0; x < COLUMNS; ++x) {{
      const vec line = *(const vec *)(b + t * b_term + x * LANES);
      for (int r = 0; r < ROWS; ++r)
        *(vec *)(c + r * c_row + x * LANES) += a[r * a_row + t * a_term] * line;
    }}
}}
)";

constexpr const char *kTile = R"(
/* c[rows][columns] += a[rows][depth] b[depth][columns], at most one tile of each */
static void tile(const float *a, long a_row, long a_term, const float *b, long b_term, float *c, long c_row, int rows,
                 int columns, int depth) {
  const int full_rows = rows - rows % ROWS, full_columns = columns - columns % (COLUMNS * LANES);
  for (int i = 0; i < full_rows; i += ROWS)
    for (int j = 0; j < full_columns; j += COLUMNS * LANES)
      block(a + i * a_row, a_row, a_term, b + j, b_term, c + i * c_row + j, c_row, depth);
  for (int i = 0; i < rows; ++i) /* what is left at the right and at the bottom */
    for (int t = 0; t < depth; ++t)
      for (int j = i < full_rows ? full_columns : 0; j < columns; ++j)
        c[i * c_row + j] += a[i * a_row + t * a_term] * b[t * b_term + j];
}
)";

constexpr const char *kSmaller = R"(
static int smaller(int x, int y) { return x < y ? x : y; }
)";

// Packed a is stored term by term: the ROWS values that one step of the innermost loop needs lie side by side.
constexpr const char *kPackA = R"(
static void pack_a(const float *a, long a_row, float *to, int rows, int depth) {
  for (int i = 0; i < rows; ++i)
    for (int t = 0; t < depth; ++t)
      to[t * TILE_I + i] = a[i * a_row + t];
}
)";

constexpr const char *kPackB = R"(
static void pack_b(const float *b, long b_row, float *to, int depth, int columns) {
  for (int t = 0; t < depth; ++t)
    for (int j = 0; j < columns; ++j)
      to[t * TILE_J + j] = b[t * b_row + j];
}
)";

struct Axis {
  const char *extent, *tile, *size; // "m", "TILE_I", "rows"
};
Axis axisOf(char loop) {
  switch (loop) {
  case 'i':
    return {"m", "TILE_I", "rows"};
  case 'j':
    return {"n", "TILE_J", "columns"};
  default:
    return {"k", "TILE_K", "depth"};
  }
}

constexpr const char *kParameters = "(const float *a, const float *b, float *c, int m, int n, int k) {\n";

/// The product itself: three loops over tiles, a buffer filled as soon as the loops that choose its tile are open.
std::string product(const LoopSchedule &s, const std::string &name) {
  std::string out = "\n" + name + kParameters;
  if (s.packA)
    out += "  float a_tile[TILE_K * TILE_I] __attribute__((aligned(64)));\n";
  if (s.packB)
    out += "  float b_tile[TILE_K * TILE_J] __attribute__((aligned(64)));\n";
  out += "  for (long x = 0; x < (long)m * n; ++x)\n    c[x] = 0;\n";
  std::string indent = "  ", open;
  // Each loop's counter is named i0, j0, t0: the first row, column and term of its tile.
  auto first = [](char loop) { return loop == 'k' ? std::string("t0") : std::string(1, loop) + "0"; };
  for (char loop : s.order) {
    Axis axis = axisOf(loop);
    out += fmt::format("{0}for (int {1} = 0; {1} < {2}; {1} += {3}) {{\n", indent, first(loop), axis.extent, axis.tile);
    indent += "  ";
    out +=
        fmt::format("{}const int {} = smaller({} - {}, {});\n", indent, axis.size, axis.extent, first(loop), axis.tile);
    open += loop;
    auto completes = [&](char one, char other) {
      return (loop == one && open.find(other) != std::string::npos) ||
             (loop == other && open.find(one) != std::string::npos);
    };
    if (s.packA && completes('i', 'k'))
      out += indent + "pack_a(a + (long)i0 * k + t0, k, a_tile, rows, depth);\n";
    if (s.packB && completes('k', 'j'))
      out += indent + "pack_b(b + (long)t0 * n + j0, n, b_tile, depth, columns);\n";
  }
  std::string a = s.packA ? "a_tile, 1, TILE_I" : "a + (long)i0 * k + t0, k, 1";
  std::string b = s.packB ? "b_tile, TILE_J" : "b + (long)t0 * n + j0, n";
  out += fmt::format("{}tile({}, {}, c + (long)i0 * n + j0, n, rows, columns, depth);\n", indent, a, b);
  for (; indent.size() > 2; indent.resize(indent.size() - 2))
    out += indent.substr(2) + "}\n";
  return out + "}\n";
}

} // namespace

std::string kernelSource(const LoopSchedule &s) {
  using fmt::arg;
  std::string out =
      fmt::format(kConstants, arg("text", s.text()), arg("tileI", s.tileI), arg("tileJ", s.tileJ),
                  arg("tileK", s.tileK), arg("vector", s.vector), arg("rows", s.rows), arg("columns", s.columns));
  out += s.vector == 1 ? kScalar : kVector;
  out += fmt::format(kBlockHead);
  out += fmt::format(s.inRegisters ? kBlockInRegisters : kBlockInMemory, arg("unroll", s.unroll));
  out += kTile;
  out += kSmaller;
  if (s.packA)
    out += kPackA;
  if (s.packB)
    out += kPackB;
  if (s.trick.empty())
    return out + product(s, "void matmul");
  const Trick &trick = findTrick(s.trick);
  return out + product(s, "static inline void multiply") + "\n// trick: " + trick.what + "\n" + trick.before +
         "void matmul" + kParameters + trick.body + "}\n";
}

} // namespace maskjit::rl
