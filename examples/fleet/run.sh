#!/bin/sh
# A fleet in two minutes, on this machine alone: a broker, fifty simulated devices, a model that reaches all of them,
# and a bad one that fails in its first wave and is rolled back. In a checkout, after `npm ci`:
#   sh examples/fleet/run.sh [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
work=${1:-$(mktemp -d)}
mkdir -p "$work"
port=${ATOLL_EXAMPLE_PORT:-18830}
broker=mqtt://127.0.0.1:$port
export ATOLL_STORE="$work/rollouts.sqlite"
atoll() { node bin/atoll.js "$@"; }
say() { printf '\n$ %s\n' "atoll $*" && atoll "$@"; }
started=
trap 'kill $started 2>/dev/null; wait' EXIT

# Waits until a program that goes on says that it is there.
ready() {
  for _ in $(seq 100); do
    grep -qs "Ctrl-C" "$1" && return
    kill -0 "$!" 2>/dev/null || break
    sleep 0.2
  done
  cat "$1" && exit 1
}

node bin/atoll.js broker --port "$port" >"$work/broker.log" 2>&1 &
started="$started $!"
ready "$work/broker.log"
node bin/atoll.js simulate-device --target nano33ble --count 50 --data examples/digits/evaluate.yaml \
  --listen "$broker/plant" >"$work/devices.log" 2>&1 &
started="$started $!"
ready "$work/devices.log"

# Two models: a good one, and one that has lost most of its weights.
digits=examples/digits/digits_float.tflite
say quantize "$digits" --calibrate examples/digits/calibrate.yaml -o "$work/good.tflite" --quiet
atoll optimize "$digits" --prune 97% -o "$work/pruned.tflite" --quiet >"$work/optimize.log"
atoll quantize "$work/pruned.tflite" --calibrate examples/digits/calibrate.yaml -o "$work/bad.tflite" --quiet \
  >"$work/quantize.log"
say bundle "$work/good.tflite" --target nano33ble --model-version 1.0 -o "$work/good.bundle"
atoll bundle "$work/bad.tflite" --target nano33ble --model-version 1.1 -o "$work/bad.bundle" >"$work/bundle.log"
cp examples/fleet/spring.yaml examples/fleet/summer.yaml "$work"

say devices "$broker/plant" | head -8
say rollout plan "$work/spring.yaml" --fleet "$broker/plant"
say rollout start "$work/spring.yaml" --fleet "$broker/plant" --html "$work/spring.html"

# Its devices are less accurate than they were: exit code 1, and they run the first model again.
printf '\n$ atoll rollout start %s\n' "$work/summer.yaml"
if atoll rollout start "$work/summer.yaml" --fleet "$broker/plant" --html "$work/summer.html"; then
  echo 'the bad model was not stopped' && exit 1
fi
say rollout list
printf '\nEvery device runs the first model: see %s and %s\n' "$work/spring.html" "$work/summer.html"
