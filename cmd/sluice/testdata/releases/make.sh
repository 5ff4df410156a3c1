#!/bin/sh
# make.sh SLUICE DIR: makes DIR with the program SLUICE; README.md says what for.
set -eu
sluice=$1 out=$2
mkdir "$out"
cd "$out"

# Six pictures of 6 x 5 pixels, the same each time; the last but one is damaged for now.
picture() { # NAME NUMBER
	mkdir -p "$(dirname "$1")"
	awk -v n="$2" 'BEGIN { print "P3 6 5 255"; for (i = 0; i < 90; i++) printf "%3d%s", (i * 37 + n * 53) % 256, i % 18 == 17 ? "\n" : " " }' >"$1"
}
for i in 0 1 2 3; do picture "data/cat/$i.ppm" "$i"; done
for i in 0 1; do picture "data/dog/$i.ppm" "1$i"; done
cp data/dog/0.ppm good.ppm
tr '0-9' 'x' <good.ppm >data/dog/0.ppm # of the same size: the plan is the same

cat >pipeline.yaml <<YAML
version: 1
seed: 5
source: {folder: {path: data}}
stages:
  - decode
  - rotate: {degrees: 30}
  - resize: {height: 4, width: 4}
  - to_tensor
  - batch: {size: 1}
YAML
cat >trainer.yaml <<YAML
model: softmax
tasks: {class: {}}
YAML

# What was broken off: one of three parts, the first of two shards, a state before the damaged picture.
! "$sluice" materialize pipeline.yaml -o unfinished --part-rows 2 2>/dev/null
! "$sluice" stream pipeline.yaml --state state.json >/dev/null 2>/dev/null
# What is complete without the damaged picture.
"$sluice" materialize pipeline.yaml -o skipped --part-rows 4 --on-error skip --max-bad 90% --quarantine bad.jsonl
mv good.ppm data/dog/0.ppm
# What is complete.
"$sluice" materialize pipeline.yaml -o dataset --part-rows 4 --params
"$sluice" materialize pipeline.yaml -o shards --part-rows 4 --shard 0/2
"$sluice" stream pipeline.yaml >stream.arrows
"$sluice" train pipeline.yaml --trainer trainer.yaml -o run --epochs 1
