#!/usr/bin/env bash
# From a fresh Debian 12 machine to a trained model on the CPU: installs, builds, measures the warm start, trains it by
# GRPO on three-digit additions, and measures again. Stopped runs go on: `cmake/quickstart.sh --resume output`.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake/setup.sh
cmake --preset default
cmake --build --preset default --target maskjit-cli maskjit-rl
echo "held-out accuracy of the warm start:"
build/bin/maskjit-rl eval
build/bin/maskjit-rl train --config rl/configs/arithmetic.toml "$@"
echo "held-out accuracy after training:"
build/bin/maskjit-rl eval --adapter output
