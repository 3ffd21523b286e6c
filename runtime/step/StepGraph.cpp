// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Capture of launches through the driver.
#include "runtime/launch/Driver.h"
#include "runtime/step/Step.h"

namespace maskjit {

static constexpr unsigned kNonBlockingStream = 1; // CU_STREAM_NON_BLOCKING

Result<StepGraph> StepGraph::capture(const std::function<Result<void>(void *stream)> &launches) {
  const Result<cuda::Driver> &driver = cuda::Driver::load();
  if (!driver)
    return driver.error();
  cuda::Stream stream = nullptr;
  if (auto made = driver->check(driver->streamCreate(&stream, kNonBlockingStream), "creating a stream"); !made)
    return made.error();
  std::shared_ptr<void> keep(stream, [&](void *) { driver->streamDestroy(stream); });
  if (auto begun = driver->check(driver->streamBeginCapture(stream, cuda::kCaptureThreadLocal), "capturing a step");
      !begun)
    return begun.error();
  const Result<void> launched = launches(stream);
  cuda::Graph captured = nullptr;
  const Result<void> ended = driver->check(driver->streamEndCapture(stream, &captured), "capturing a step");
  if (!launched || !ended) {
    if (captured)
      driver->graphDestroy(captured);
    return launched ? ended.error() : launched.error();
  }
  cuda::GraphExec exec = nullptr;
  const Result<void> made = driver->check(driver->graphInstantiate(&exec, captured, 0), "instantiating a step");
  driver->graphDestroy(captured);
  if (!made)
    return made.error();
  StepGraph graph;
  graph.graph = std::shared_ptr<void>(
      exec, [](void *handle) { cuda::Driver::load()->graphExecDestroy(static_cast<cuda::GraphExec>(handle)); });
  return graph;
}

Result<void> StepGraph::replay(void *stream) const {
  const cuda::Driver &driver = *cuda::Driver::load();
  return driver.check(
      driver.graphLaunch(static_cast<cuda::GraphExec>(graph.get()), reinterpret_cast<cuda::Stream>(stream)),
      "replaying a step");
}

} // namespace maskjit
