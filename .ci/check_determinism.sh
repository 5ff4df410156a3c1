#!/usr/bin/env bash
# The same bytes whatever the workers, GOMAXPROCS and the machine's instructions.
#
#   bash .ci/check_determinism.sh TMP
#
# One pipeline over a demo data set, materialized with 1, 2 and 5 workers, GOMAXPROCS
# 1 and 2, and binaries built for GOAMD64=v1 and v3. Prints each run's digest: the
# sha256 over the sha256 of all files. Then training: the weights, with and without
# the assembly for AVX2. Run it from the repository.
set -euo pipefail
tmp=$(mktemp -d "${1:?usage: bash .ci/check_determinism.sh TMP}/determinism.XXXXXX")

levels=(any)
if [ "$(go env GOARCH)" = amd64 ]; then
  levels=(v1)
  if [ "$(grep -m1 '^flags' /proc/cpuinfo | grep -owE 'avx2|fma|bmi2|movbe' | sort -u | wc -l)" = 4 ]; then
    levels+=(v3)
  else
    echo "SKIPPED: this processor cannot run GOAMD64=v3"
  fi
fi
for level in "${levels[@]}"; do
  if [ "$level" = any ]; then go build -o "$tmp/sluice-any" ./cmd/sluice; else GOAMD64=$level go build -o "$tmp/sluice-$level" ./cmd/sluice; fi
done

"$tmp/sluice-${levels[0]}" demo -o "$tmp/demo" >"$tmp/demo.log"
cat >"$tmp/all.yaml" <<'YAML'
version: 1
seed: 7
epochs: 2
source: {folder: {path: demo/data/train, tasks: [shape, color]}}
stages:
  - rebalance: {target: square_root, task: [shape, color], draws: 700}
  - class_weights: {task: shape, weights: effective_number}
  - decode: {}
  - rotate: {degrees: 30, p: 0.8, expand: true, fill: [120, 110, 100]}
  - crop: {size: 0.8}
  - flip: {p: 0.5}
  - random_resized_crop: {height: 56, width: 72, interpolation: bicubic}
  - resize: {height: 48, width: 64, antialias: false}
  - to_tensor: {}
  - normalize: {mean: dataset, std: dataset}
  - batch: {size: 24}
  - multiscale: {scales: [0.5, 1, 1.5], mode: bilinear}
YAML

first=
for level in "${levels[@]}"; do
  for procs in 1 2; do
    for workers in 1 2 5; do
      out=$tmp/$level-$procs-$workers
      GOMAXPROCS=$procs "$tmp/sluice-$level" materialize "$tmp/all.yaml" -o "$out" --workers "$workers" --params --part-rows 256 2>"$out.log" || { cat "$out.log"; exit 1; }
      got=$(bash .ci/digest "$out")
      echo "GOAMD64=$level GOMAXPROCS=$procs workers=$workers: $(find "$out" -name '*.arrow' | wc -l) part files, digest $got"
      if [ "$got" != "${first:=$got}" ]; then
        echo "WRONG: not the bytes of the first run; compare $tmp/${levels[0]}-1-1 and $out"
        exit 1
      fi
      [ "$out" = "$tmp/${levels[0]}-1-1" ] || rm -r "$out"
    done
  done
done

# Odd sizes at scale 0.8, short last batches, parts of batches.
cat >"$tmp/train.yaml" <<'YAML'
version: 1
seed: 7
source: {folder: {path: demo/data/train, tasks: [shape, color]}}
stages:
  - rebalance: {target: square_root, task: [shape, color], draws: 250}
  - decode
  - rotate: {degrees: 30, p: 0.8}
  - resize: {height: 24, width: 28}
  - to_tensor
  - normalize: {mean: imagenet, std: imagenet}
  - batch: {size: 32}
  - multiscale: {scales: [0.8, 1]}
YAML
cat >"$tmp/trainer.yaml" <<'YAML'
model: small_cnn
tasks:
  shape: {loss: balanced_softmax}
  color: {class_weights: inverse, weight: 0.5}
optimizer: {adam: {lr: 0.003, weight_decay: 0.01}}
schedule: {step: {size: 1}}
epochs: 2
micro_batch: 20
YAML
first=
for level in "${levels[@]}"; do
  for procs in 1 2; do
    for debug in "" cpu.avx2=off; do
      out=$tmp/train-$level-$procs-$debug
      GODEBUG=$debug GOMAXPROCS=$procs "$tmp/sluice-$level" train "$tmp/train.yaml" --trainer "$tmp/trainer.yaml" -o "$out" 2>"$out.log" || { cat "$out.log"; exit 1; }
      got=$(sha256sum <"$out/weights.safetensors" | cut -c1-16)
      echo "train: GOAMD64=$level GOMAXPROCS=$procs GODEBUG=$debug: weights $got"
      if [ "$got" != "${first:=$got}" ]; then
        echo "WRONG: not the weights of the first run; compare $tmp/train-${levels[0]}-1- and $out"
        exit 1
      fi
    done
  done
done
rm -r "$tmp"
