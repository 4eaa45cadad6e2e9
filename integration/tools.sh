#!/usr/bin/env bash
# Installs the programs that tests and benchmarks run beside ours, where they
# are missing: tools.sh aws | models | images | bench. As root from Debian's packages; awscli
# otherwise from PyPI into bin/aws-venv.
set -euo pipefail
cd "$(dirname "$0")/.."

apt() {
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends "$@" >/dev/null
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo apt-get update -qq
    sudo DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends "$@" >/dev/null
  else
    return 1
  fi
}

works() {
  local program
  program=$(type -P "$1") && "$program" --version >/dev/null 2>&1
}

aws() {
  if works aws || [ -x bin/aws-venv/bin/aws ]; then return; fi
  echo "installing awscli, the Lambda client that the tests use beside Go's SDK"
  apt awscli && works aws && return
  python3 -m venv bin/aws-venv && bin/aws-venv/bin/pip install --quiet awscli && return
  echo "the tests need the AWS CLI: install Debian's package awscli" >&2
  exit 1
}

# The models of AWS's APIs are data in botocore, which is not run.
models() {
  local version=1.43.11 dir
  [ "$(cat bin/models/version 2>/dev/null)" = $version ] && return
  echo "fetching botocore's models of AWS's APIs, which the embedded AWS is held against"
  python3 -m pip --version >/dev/null 2>&1 || apt python3-pip || true
  dir=$(mktemp -d)
  python3 -m pip download --quiet --no-deps --dest "$dir" botocore==$version &&
    python3 -m zipfile -e "$dir"/botocore-*.whl "$dir/wheel" && rm -rf bin/models && mkdir -p bin &&
    mv "$dir/wheel/botocore/data" bin/models && echo $version >bin/models/version && rm -rf "$dir" && return
  echo "the tests need the package botocore $version of PyPI: python3 -m pip must be able to fetch it" >&2
  exit 1
}

images() {
  local missing=() tool
  for tool in npm gcc make bzip2; do
    type -P "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] && return
  apt "${missing[@]}" && return
  echo "the tests build images with ${missing[*]}: install Debian's packages of these names" >&2
  exit 1
}

templates() {
  local missing=() tool
  type -P node >/dev/null || missing+=(nodejs)
  type -P python3 >/dev/null || missing+=(python3)
  ruby -rminitest -e '' 2>/dev/null || missing+=(ruby ruby-minitest)
  python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
  echo '#include <zlib.h>' | gcc -E - >/dev/null 2>&1 || missing+=(gcc libc6-dev zlib1g-dev)
  type -P cargo >/dev/null || missing+=("$(cargoPackage)")
  type -P mvn >/dev/null || missing+=(maven)
  type -P javac >/dev/null || missing+=(default-jdk-headless)
  [ ${#missing[@]} = 0 ] || apt "${missing[@]}" && rust && return
  echo "the templates are tested with ${missing[*]}: install Debian's packages of these names" >&2
  exit 1
}

# Debian 12 has a newer Rust beside its own, for browsers.
cargoPackage() {
  local web
  [ "$(id -u)" != 0 ] || apt-get update -qq
  web=$(apt-cache policy cargo-web 2>/dev/null | sed -n 's/^ *Candidate: //p')
  if [ -n "$web" ] && [ "$web" != '(none)' ]; then echo cargo-web; else echo cargo; fi
}

# The crate of AWS's events says that it needs Rust 1.84, more than some
# releases of Debian have.
rust() {
  printf '1.84.0\n%s\n' "$(rustc --version | cut -d' ' -f2)" | sort -CV && return
  echo "the template rust-lambda is tested with Rust 1.84 or later, this one is $(rustc --version): https://rustup.rs installs it" >&2
  exit 1
}

bench() {
  local missing=() tool
  for tool in skopeo umoci zip; do
    type -P "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] && return
  apt "${missing[@]}" && return
  echo "make bench compares with ${missing[*]}: install Debian's packages of these names" >&2
  exit 1
}

curl() {
  type -P curl >/dev/null && return
  apt curl && return
  echo "the tests run commands of the documentation: install Debian's package curl" >&2
  exit 1
}

# Debian's package starts a server where it is installed: it is unpacked.
prometheus() {
  [ -x bin/tools/promtool ] && [ -x bin/tools/prometheus ] && return
  local dir
  dir=$(mktemp -d)
  chmod 755 "$dir"
  echo "unpacking Debian's prometheus, which evaluates the chart's dashboard and alerts"
  if ! (cd "$dir" && apt-get -qq download prometheus 2>/dev/null); then
    if [ "$(id -u)" = 0 ]; then apt-get update -qq; fi
    (cd "$dir" && apt-get -qq download prometheus)
  fi
  dpkg -x "$dir"/prometheus_*.deb "$dir/root" && mkdir -p bin/tools &&
    mv "$dir/root/usr/bin/promtool" "$dir/root/usr/bin/prometheus" bin/tools/ && rm -rf "$dir" && return
  echo "the dashboard and the alerts are tested with prometheus and promtool of Debian's package prometheus" >&2
  exit 1
}

for tool in "$@"; do "$tool"; done
