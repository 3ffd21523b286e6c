// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loading and calling programs in workers.
#include "rl/judge/Worker.h"
#include "rl/judge/PythonNames.h"
#include "rl/judge/runner/Protocol.h"
#include <chrono>
#include <cstring>
#include <fmt/format.h>

namespace maskjit::rl {

using namespace protocol;

constexpr size_t kLongestEvidence = 300;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Text of a worker: short, and nothing that a terminal or a log would act on.
static std::string quoted(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kLongestEvidence))
    out += c >= ' ' && c < 127 ? c : ' ';
  return out;
}

Worker::Worker(SandboxedProcess process, Language language, const MatmulShape &shape, const CounterMeasures &measures,
               double timeoutSeconds)
    : process(std::move(process)), language(language), shape(shape), measures(measures),
      timeoutSeconds(timeoutSeconds) {}

std::string Worker::expect(char expected, Reply reply, std::optional<Fault> &fault) {
  if (!reply) {
    fault = faultOf(reply.failure);
    return "";
  }
  char tag = (*reply).empty() ? 0 : (*reply).front();
  std::string rest = (*reply).empty() ? "" : (*reply).substr(1);
  if (tag == expected)
    return rest;
  if (tag == kInvalid)
    fault = Fault{Verdict::Invalid, 0, quoted(rest)};
  else if (tag == kWithheld)
    fault = faultOfSymbol(quoted(rest));
  else if (tag == kShape)
    fault = Fault{Verdict::Wrong, 0, quoted(rest)};
  else if (tag == kEvidence)
    fault = faultOfPython(quoted(rest));
  else if (tag == kError)
    fault = Fault{Verdict::Error, 0, quoted(rest)};
  else
    fault = Fault{Verdict::Error, 0, "the worker answered out of turn"};
  return "";
}

std::optional<Fault> Worker::load(const std::string &program) {
  LoadRequest request{shape.m, shape.n, shape.k, 0};
  request.flags = (measures.exactTypes ? kExactTypes : 0u) | (measures.ownInputs ? 0u : kReturnInputs) |
                  (measures.staticFilter ? kKernelFunctions : 0u);
  std::string message(reinterpret_cast<const char *>(&request), sizeof request);
  message += program;
  std::optional<Fault> fault;
  if (std::optional<WorkerFailure> failure = process.send(message))
    return faultOf(*failure);
  expect(kReady, process.receive(timeoutSeconds), fault);
  if (!fault)
    charged = process.cpuSeconds().value_or(0);
  return fault;
}

CallOutcome Worker::call(const Product &product, const std::vector<double> *stale) {
  // A kernel's time on the GPU is in nobody's CPU time.
  if (language == Language::Cuda)
    return callCuda(product, stale);
  std::optional<double> before = process.cpuSeconds();
  CallOutcome outcome = language == Language::Python ? callPython(product) : callNative(product, stale);
  if (outcome.fault)
    return outcome;
  std::optional<double> after = process.cpuSeconds();
  if (before && after) {
    outcome.cpuSeconds = *after - charged;
    outcome.idleSeconds = *before - charged;
    charged = *after;
  } else {
    outcome.fault = Fault{Verdict::Error, 0, "the worker ended after its answer"};
  }
  return outcome;
}

CallOutcome Worker::callNative(const Product &product, const std::vector<double> *stale) {
  CallOutcome outcome;
  size_t aBytes = product.inputBytesOf(0), bBytes = product.inputBytesOf(1);
  SharedLayout layout(aBytes, bBytes, product.resultBytes());
  auto *shared = static_cast<char *>(process.shared());
  outcome.result.resize(product.resultBytes());
  auto *c = reinterpret_cast<float *>(shared + layout.c);
  size_t count = outcome.result.size() / sizeof(float);
  for (size_t i = 0; i < count; ++i)
    c[i] = stale ? float((*stale)[i]) : __builtin_nanf("");

  double begin = now();
  std::memcpy(shared + layout.a, product.inputs().data(), aBytes);
  std::memcpy(shared + layout.b, product.inputs().data() + aBytes, bBytes);
  std::optional<WorkerFailure> failure = process.send(std::string_view(&kCall, 1));
  Reply reply = failure ? Reply{std::nullopt, *failure} : process.receive(timeoutSeconds);
  std::memcpy(outcome.result.data(), c, outcome.result.size());
  outcome.seconds = now() - begin;

  std::string said = expect(kDone, std::move(reply), outcome.fault);
  if (said.size() >= sizeof(Done))
    std::memcpy(&outcome.workerSeconds, said.data(), sizeof(Done));
  outcome.inputsAfter.assign(shared + layout.a, aBytes);
  outcome.inputsAfter.append(shared + layout.b, bBytes);
  return outcome;
}

Reply Worker::ask(char what) {
  std::optional<WorkerFailure> failure = process.send(std::string_view(&what, 1));
  return failure ? Reply{std::nullopt, *failure} : process.receive(timeoutSeconds);
}

/// Kernels cannot run between calls, so the inputs may be on the GPU before the clock starts, and the clock may stop
/// when the context has no work left.
CallOutcome Worker::callCuda(const Product &product, const std::vector<double> *stale) {
  CallOutcome outcome;
  size_t aBytes = product.inputBytesOf(0), bBytes = product.inputBytesOf(1);
  SharedLayout layout(aBytes, bBytes, product.resultBytes());
  auto *shared = static_cast<char *>(process.shared());
  auto *c = reinterpret_cast<float *>(shared + layout.c);
  std::memcpy(shared + layout.a, product.inputs().data(), aBytes);
  std::memcpy(shared + layout.b, product.inputs().data() + aBytes, bBytes);
  for (size_t i = 0; i < product.expected().size(); ++i)
    c[i] = stale ? float((*stale)[i]) : __builtin_nanf("");
  expect(kReady, ask(kUpload), outcome.fault);
  if (outcome.fault)
    return outcome;

  double begin = now();
  Reply reply = ask(kCall);
  outcome.seconds = outcome.cpuSeconds = now() - begin;

  std::string said = expect(kDone, std::move(reply), outcome.fault);
  if (!outcome.fault && said.size() >= sizeof(Done))
    std::memcpy(&outcome.workerSeconds, said.data(), sizeof(Done));
  if (!outcome.fault)
    expect(kReady, ask(kFetch), outcome.fault);
  outcome.result.assign(reinterpret_cast<const char *>(c), product.resultBytes());
  outcome.inputsAfter.assign(shared + layout.a, aBytes);
  outcome.inputsAfter.append(shared + layout.b, bBytes);
  return outcome;
}

CallOutcome Worker::callPython(const Product &product) {
  CallOutcome outcome;
  std::string request(1, kCall);
  request += product.inputs();

  double begin = now();
  std::optional<WorkerFailure> failure = process.send(request);
  Reply reply = failure ? Reply{std::nullopt, *failure} : process.receive(timeoutSeconds);
  outcome.seconds = now() - begin;

  std::string said = expect(kDone, std::move(reply), outcome.fault);
  if (outcome.fault)
    return outcome;
  size_t expected = sizeof(Done) + product.resultBytes() + (measures.ownInputs ? 0 : product.inputs().size());
  if (said.size() != expected) {
    outcome.fault =
        Fault{Verdict::Error, 0, fmt::format("expected {} bytes from the worker, got {}", expected, said.size())};
    return outcome;
  }
  std::memcpy(&outcome.workerSeconds, said.data(), sizeof(Done));
  outcome.result = said.substr(sizeof(Done), product.resultBytes());
  outcome.inputsAfter = said.substr(sizeof(Done) + product.resultBytes());
  return outcome;
}

} // namespace maskjit::rl
