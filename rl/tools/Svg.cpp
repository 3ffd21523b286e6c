// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws line charts.
#include "rl/tools/Svg.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace maskjit::rl {

namespace {

constexpr double kWidth = 720, kHeight = 400, kLeft = 64, kRight = 150, kTop = 40, kBottom = 48;
// Okabe and Ito's palette, which colour-blind people can tell apart.
constexpr const char *kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#000000", "#999999"};

std::string escaped(const std::string &text) {
  std::string out;
  for (char c : text)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string label(double x, double y, const char *anchor, const std::string &text, const char *more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     escaped(text));
}

struct Range {
  double low = 0, high = 0;
  bool any = false;
  void add(double value) {
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  double span() const { return high > low ? high - low : 1; }
};

} // namespace

std::vector<double> axisTicks(double low, double high, int wanted) {
  double rough = (high > low ? high - low : 1) / std::max(1, wanted);
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (double factor : {1.0, 2.0, 5.0, 10.0})
    if (step = factor * power; step >= rough)
      break;
  std::vector<double> ticks;
  for (double k = std::floor(low / step);; ++k) {
    ticks.push_back(k * step);
    if (k * step >= high)
      return ticks;
  }
}

std::string svg(const Chart &chart) {
  Range x, y;
  for (const Series &series : chart.series)
    for (const auto &[px, py] : series.points) {
      x.add(px);
      y.add(py);
    }
  if (chart.fromZero)
    y.add(0);
  std::vector<double> rows = axisTicks(y.low, y.high, 5), columns = axisTicks(x.low, x.high, 6);
  y.add(rows.front());
  y.add(rows.back());
  auto atX = [&](double v) { return kLeft + (v - x.low) / x.span() * (kWidth - kLeft - kRight); };
  auto atY = [&](double v) { return kHeight - kBottom - (v - y.low) / y.span() * (kHeight - kTop - kBottom); };

  std::string out =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                  kWidth, kHeight);
  out += label(kLeft, 22, "start", chart.title, " font-size=\"15\"");
  for (double v : rows) {
    out += fmt::format("<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#dddddd\"/>\n", kLeft,
                       atY(v), kWidth - kRight);
    out += label(kLeft - 6, atY(v) + 4, "end", fmt::format("{:g}", v));
  }
  for (double v : columns)
    if (v >= x.low && v <= x.high)
      out += label(atX(v), kHeight - kBottom + 18, "middle", fmt::format("{:g}", v));
  out += label((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", chart.xLabel);
  out += label(16, (kTop + kHeight - kBottom) / 2, "middle", chart.yLabel,
               fmt::format(" transform=\"rotate(-90 16 {:.1f})\"", (kTop + kHeight - kBottom) / 2).c_str());

  std::vector<std::pair<double, size_t>> ends; // y of the names at the right, kept apart from each other
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series &series = chart.series[i];
    if (series.points.empty())
      continue;
    std::string path;
    for (const auto &[px, py] : series.points)
      path += fmt::format("{:.1f},{:.1f} ", atX(px), atY(py));
    out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", path,
                       kColours[i % std::size(kColours)]);
    ends.emplace_back(atY(series.points.back().second), i);
  }
  std::sort(ends.begin(), ends.end());
  double free = kTop;
  for (const auto &[wanted, i] : ends) {
    double line = std::max(wanted + 4, free);
    free = line + 15;
    out += label(kWidth - kRight + 8, line, "start", chart.series[i].name,
                 fmt::format(" fill=\"{}\"", kColours[i % std::size(kColours)]).c_str());
  }
  return out + "</svg>\n";
}

} // namespace maskjit::rl
