#!/usr/bin/env bash
# From a fresh Debian 12 machine to a trained model on the CPU: installs, builds, trains.
#   cmake/quickstart.sh [options of maskjit-rl train]             faster matrix products, rewarded by a sandboxed judge
#   cmake/quickstart.sh arithmetic [options of maskjit-rl train]  three-digit additions
# A stopped run goes on with --resume output.
set -euo pipefail
cd "$(dirname "$0")/.."
job=schedule
case ${1:-} in
  schedule | arithmetic) job=$1; shift ;;
esac
cmake/setup.sh
cmake --preset default
cmake --build --preset default --target maskjit-cli maskjit-rl maskjit-sandbox maskjit-kernel-runner
if [ $job = schedule ]; then
  exec build/bin/maskjit-rl train --config rl/configs/schedule.toml "$@"
fi
echo "held-out accuracy of the warm start:"
build/bin/maskjit-rl eval
build/bin/maskjit-rl train --config rl/configs/arithmetic.toml "$@"
echo "held-out accuracy after training:"
build/bin/maskjit-rl eval --adapter output
