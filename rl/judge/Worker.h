// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One program in one sandboxed worker, as the judge sees it: loaded once, then called with fresh inputs, on the judge's
// clock.
//
// A call runs from before the first byte of the inputs is given away until the result is copied back: a program that
// took over its worker could do nothing earlier or later than any other. Two clocks run, both out of its reach: the
// judge's, and the kernel's account of the CPU time that the worker used since its last call. Ratios are of the second,
// which other programs on the machine do not change; what a worker does between calls is charged to the next one.
#pragma once
#include "rl/judge/Cheats.h"
#include "rl/judge/Product.h"
#include "rl/sandbox/SandboxedProcess.h"

namespace maskjit::rl {

/// Why a program has no result.
struct Fault {
  Verdict verdict = Verdict::Error;
  int cheat = 0;
  std::string evidence;
};
/// What the end of a worker says about the program in it.
Fault faultOf(const WorkerFailure &failure);
/// What it says that a program wants the function or system call `name`.
Fault faultOfSymbol(const std::string &name);

struct CallOutcome {
  std::optional<Fault> fault;
  double seconds = 0;       // by the judge's clock: from the inputs given away to the result copied back
  double cpuSeconds = 0;    // CPU time from the end of the last call to the end of this one
  double idleSeconds = 0;   // the part of it before this call began
  double workerSeconds = 0; // by the worker's own
  std::string result;
  std::string inputsAfter; // as the program left them; Python: only if asked for
};

class Worker {
public:
  Worker(SandboxedProcess process, Language language, const MatmulShape &shape, const CounterMeasures &measures,
         double timeoutSeconds);

  /// `program`: Python's source, an object file, or a launch shape and a cubin.
  std::optional<Fault> load(const std::string &program);
  /// `stale`: what C's result holds before the call; nullptr: NaN.
  CallOutcome call(const Product &product, const std::vector<double> *stale = nullptr);

private:
  /// Takes the tag off; sets `fault` for any other than `expected`.
  std::string expect(char expected, Reply reply, std::optional<Fault> &fault);
  CallOutcome callNative(const Product &product, const std::vector<double> *stale);
  CallOutcome callPython(const Product &product);
  CallOutcome callCuda(const Product &product, const std::vector<double> *stale);
  Reply ask(char what);

  SandboxedProcess process;
  Language language;
  MatmulShape shape;
  CounterMeasures measures;
  double timeoutSeconds;
  double charged = 0; // CPU time up to the end of the last call
};

} // namespace maskjit::rl
