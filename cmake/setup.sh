#!/usr/bin/env bash
# Installs what the build needs on Debian 12 (root or sudo): compiler and LLVM 22.1 from Debian, LibTorch from PyPI, CUDA
# headers and NVRTC from a toolkit if there is one, else from PyPI. Repeatable; downloads are kept outside the tree.
#   cmake/setup.sh            what building and running need
#   cmake/setup.sh --tests    also what the tests need (sanitizer runtimes, LibTorch importable from Python)
# MASKJIT_DEPS: where LibTorch goes (default: $XDG_CACHE_HOME/maskjit/deps, else ~/.cache/maskjit/deps).
set -euo pipefail

tests=no
for argument in "$@"; do
  case $argument in
    --tests) tests=yes ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup: unknown argument '$argument'; --tests and --help are known" >&2; exit 2 ;;
  esac
done

torch_version=2.11.0
deps=${MASKJIT_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/maskjit/deps}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() { echo "setup: $1" >&2; [ -s "$log" ] && tail -15 "$log" >&2; exit 1; }
quietly() { "$@" >"$log" 2>&1; }

# ---- Debian's packages ----
packages=(clang-22 lld-22 llvm-22-dev libmlir-22-dev mlir-22-tools ccache cmake g++ ninja-build git python3 python3-pip
  libzstd-dev zlib1g-dev libfmt-dev libcli11-dev nlohmann-json3-dev libpcre2-dev libxxhash-dev libseccomp-dev libgomp1)
[ $tests = yes ] && packages+=(libgtest-dev libgmock-dev libbenchmark-dev libclang-rt-22-dev xz-utils)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "this system has no apt-get. Install by your own means: ${missing[*]} (LLVM and MLIR 22.1)"
  root=()
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null || fail "run as root or install sudo; missing packages: ${missing[*]}"; root=(sudo); }
  echo "setup: installing ${missing[*]}"
  quietly "${root[@]}" apt-get update -qq || fail "apt-get update failed"
  apt-cache show "${missing[@]}" >/dev/null 2>"$log" || fail "a package is not in the apt sources. LLVM 22 is in Debian 12's security archive (deb http://deb.debian.org/debian-security bookworm-security main); on Ubuntu add LLVM's own: https://apt.llvm.org"
  quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    || fail "apt-get install failed"
fi
llvm=$(/usr/lib/llvm-22/bin/llvm-config --version 2>/dev/null || true)
[[ $llvm == 22.1.* ]] || fail "LLVM 22.1.x is needed in /usr/lib/llvm-22, found '${llvm:-none}'"

# ---- LibTorch and CUDA, from PyPI ----
# pip --target neither sees nor changes what else is installed; a folder is complete when its stamp names the same list.
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
wheels() { # folder wheel...
  local folder=$deps/$1 list
  shift
  list="$*"
  [ "$(cat "$folder/.maskjit" 2>/dev/null)" = "$list" ] && return
  echo "setup: installing $list"
  mkdir -p "$folder.new"
  if ! quietly python3 -m pip install -q --no-deps --no-compile --upgrade --target "$folder.new" "$@"; then
    rm -rf "$folder.new"
    fail "pip could not install $list (network, disk, or no wheel for $(python3 -V))"
  fi
  echo "$list" >"$folder.new/.maskjit"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
}
list=("torch==$torch_version")
toolkit=/usr/local/cuda
if ! ls $toolkit/lib64/libnvrtc.so.13 $toolkit/include/cuda.h >/dev/null 2>&1; then
  toolkit=$deps/torch-$torch_version/nvidia/cu13
  list+=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 nvidia-cuda-cupti==13.0.85
    nvidia-cuda-nvrtc==13.0.88)
  if [ $tests = yes ]; then # `import torch` wants all of them
    list+=(nvidia-cublas==13.1.0.3 nvidia-cufft==12.0.0.61 nvidia-curand==10.4.0.35 nvidia-cusolver==12.0.4.66
      nvidia-cusparse==12.6.3.3 nvidia-nvjitlink==13.0.88 nvidia-nvtx==13.0.85 nvidia-cudnn-cu13==9.19.0.56
      nvidia-nccl-cu13==2.28.9)
  fi
fi
if [ $tests = yes ]; then
  list+=(nvidia-cusparselt-cu13==0.8.0 nvidia-nvshmem-cu13==3.4.5 nvidia-cufile==1.15.1.6 sympy==1.14.0 networkx==3.6.1
    jinja2==3.1.6 markupsafe==3.0.4 fsspec==2026.9.0 filelock==4.3.1 typing-extensions==4.16.0 mpmath==1.4.1
    numpy==2.4.6 setuptools==81.0.0)
fi
# A folder made for the tests serves the build as well.
if [ $tests = yes ] || ! [ -e "$deps/torch-$torch_version/.maskjit" ]; then
  wheels "torch-$torch_version" "${list[@]}"
fi
[ -e "$deps/torch-$torch_version/torch/lib/libtorch_cpu.so" ] || fail "$deps/torch-$torch_version holds no LibTorch; remove the folder and run again"
echo "setup: LLVM $llvm, LibTorch $torch_version in $deps, CUDA headers and NVRTC in $toolkit"
