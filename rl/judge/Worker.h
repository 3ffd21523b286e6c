// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One program in one sandboxed worker, as the judge sees it: loaded once, then called with fresh inputs, on the judge's
// clock.
//
// The clock runs from before the first byte of the inputs is given away until the result is copied back. A program that
// took over its worker could therefore do nothing earlier or later than any other. Handing over 256 x 256 floats takes
// about 0.1 ms; it is part of the program's time and of the reference's, so that ratios come out a little too low,
// never too high.
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
  double seconds = 0;       // by the judge's clock
  double workerSeconds = 0; // by the worker's own
  std::string result;
  std::string inputsAfter; // as the program left them; Python: only if asked for
};

class Worker {
public:
  Worker(SandboxedProcess process, Language language, const MatmulShape &shape, const CounterMeasures &measures,
         double timeoutSeconds);

  /// `program`: Python's source, an object file, or a cubin.
  std::optional<Fault> load(const std::string &program);
  /// `stale`: what C's result holds before the call; nullptr: NaN.
  CallOutcome call(const Product &product, const std::vector<double> *stale = nullptr);

private:
  /// Takes the tag off; sets `fault` for any other than `expected`.
  std::string expect(char expected, Reply reply, std::optional<Fault> &fault);
  CallOutcome callNative(const Product &product, const std::vector<double> *stale);
  CallOutcome callPython(const Product &product);

  SandboxedProcess process;
  Language language;
  MatmulShape shape;
  CounterMeasures measures;
  double timeoutSeconds;
};

} // namespace maskjit::rl
