#!/usr/bin/env bash
# The same bytes whatever the workers, GOMAXPROCS and the machine's instructions.
#
#   bash .ci/check_determinism.sh TMP
#
# One pipeline over a demo data set, materialized with 1, 2 and 5 workers, GOMAXPROCS
# 1 and 2, and binaries built for GOAMD64=v1 and v3. Prints each run's digest: the
# sha256 over the sha256 of all files. Run it from the repository.
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
rm -r "$tmp"
