#!/usr/bin/env bash
# Sets up a fresh Debian 12 machine, builds everything and runs all tests. Tests labelled `gpu` pass over where no GPU is.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake/setup.sh --tests
cmake --preset default -DMASKJIT_TESTS=ON # an earlier set-up without GoogleTest left it off
cmake --build --preset default
ctest --preset default --no-tests=error "$@"
