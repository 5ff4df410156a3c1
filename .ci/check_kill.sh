#!/usr/bin/env bash
# Killed at any moment and run again, materialize gives the bytes of an unbroken run.
#
#   bash .ci/check_kill.sh SLUICE DATA TMP
#
# Photos (flat), signs (two tasks) and cifar10-lt: an unbroken run with inspect and
# verify, then 3 runs that get SIGKILL at a random moment and are run again; then every other
# format, with pictures and with files as they are (coco and yolo with pictures): 2 such runs, by 1 and 7
# workers, and one by 3 processes with --shard. KILL_SEED=N repeats the moments of an earlier run, KILLS=N makes N
# runs of each. Run it from the repository.
set -euo pipefail
sluice=${1:?usage: bash .ci/check_kill.sh SLUICE DATA TMP} data=$(realpath -m "$2")
if ! [ -d "$data" ]; then
  echo "SKIPPED: $data isn't there; this check needs the shared data folder"
  exit 0
fi
tmp=$(mktemp -d "$3/kill.XXXXXX")
RANDOM=${KILL_SEED:=$((RANDOM))}
echo "KILL_SEED=$KILL_SEED"
fail() { echo "WRONG: $*; the files are in $tmp"; exit 1; }

# check NAME SINK SOURCE STAGE...
check() {
  local name=$1 sink=$2 source=$3 stage begin micros moment want out status parts workers
  shift 3
  { printf 'version: 1\nseed: 3\nsource: %s\nsink: {%s}\nstages:\n' "$source" "$sink"; for stage; do echo "  - $stage"; done; } >"$tmp/$name.yaml"
  local make=("$sluice" materialize "$tmp/$name.yaml" --params -o)
  echo "== $name"
  begin=${EPOCHREALTIME/[.,]/}
  "${make[@]}" "$tmp/$name" 2>&1 | sed "s#$tmp/##"
  micros=$((${EPOCHREALTIME/[.,]/} - begin))
  "$sluice" inspect "$tmp/$name" | sed "s#$tmp/##" | sed -n 1,40p
  "$sluice" verify "$tmp/$name" | sed "s#$tmp/##"
  want=$(bash .ci/digest "$tmp/$name")
  for n in $(seq "${KILLS:-$kills}"); do
    out=$tmp/$name-$n workers=$((n % 2 ? 1 : 7))
    moment=$((micros * (RANDOM % 95 + 3) / 100))
    "${make[@]}" "$out" --workers "$workers" 2>/dev/null & # not a function: $! must be sluice itself
    sleep "$((moment / 1000000)).$(printf %06d $((moment % 1000000)))"
    kill -9 $! 2>/dev/null || true
    status=0
    wait $! 2>/dev/null || status=$?
    parts=0
    if [ -d "$out" ]; then parts=$(find "$out" -name 'part-*' | wc -l); fi
    "${make[@]}" "$out" 2>"$out.log" || fail "the run after a kill failed: $(cat "$out.log")"
    "$sluice" verify "$out" >/dev/null || fail "verify refuses what the run after a kill made"
    echo "killed after $((moment / 1000)) of $((micros / 1000)) ms (status $status) with $parts of $(find "$out" -name 'part-*' | wc -l) parts; after it digest $(bash .ci/digest "$out"), unbroken $want"
    [ "$(bash .ci/digest "$out")" = "$want" ] || fail "other bytes after a kill: compare $name and $name-$n"
    rm -r "$out"
  done
  out=$tmp/$name-shards
  for n in 2 0 1; do
    "${make[@]}" "$out" --shard "$n/3" 2>"$out.log" || fail "shard $n of 3 failed: $(cat "$out.log")"
  done
  "$sluice" verify "$out" >/dev/null || fail "verify refuses what 3 shards made"
  # What the shards say of themselves is theirs alone.
  rm -f "$out"/manifest-*-of-3.json "$out"/.*-of-3* "$out"/.lock* "$tmp/$name"/.lock*
  [ "$(bash .ci/digest "$out")" = "$(bash .ci/digest "$tmp/$name")" ] || fail "other bytes by 3 shards: compare $name and $name-shards"
  echo "3 shards: the same digest"
  rm -r "$out" "$tmp/$name"
}

kills=3
check photos "arrow: {part_rows: 32}" "{folder: {path: '$data/photos', tasks: []}}" \
  decode "rotate: {degrees: 30}" "crop: {size: 0.5, offset: [0, 0.25]}" "flip: {}" "resize: {height: 224, width: 224}" "batch: {size: 16}"
check signs "arrow: {part_rows: 256}" "{folder: {path: '$data/signs/signs.tar', tasks: [shape, type]}}" \
  decode "rotate: {degrees: 30}" "crop: {size: 0.5, offset: [0, 0.25]}" "flip: {}" "resize: {height: 48, width: 48}" "to_tensor: {}" "batch: {size: 32}"
check cifar10-lt "arrow: {part_rows: 1024}" "{folder: {path: '$data/cifar10-lt/train.tar'}}" \
  decode "rotate: {degrees: 30}" "crop: {size: 0.5, offset: [0, 0.25]}" "flip: {}" "resize: {height: 32, width: 32}" "batch: {size: 64}"
kills=2
for sink in "webdataset: {shard_rows: 256}" "folder: {flat: true, part_rows: 256}" "parquet: {part_rows: 256}"; do
  check "${sink%%:*}-files" "$sink" "{folder: {path: '$data/signs/signs.tar', tasks: [shape, type]}}" \
    "rebalance: {target: square_root, task: shape}" "batch: {size: 32}"
  check "${sink%%:*}-pictures" "${sink/256/32}" "{folder: {path: '$data/photos', tasks: []}}" \
    decode "rotate: {degrees: 30}" "crop: {size: 0.5, offset: [0, 0.25]}" "flip: {}" "resize: {height: 112, width: 112}" "batch: {size: 16}"
done
# Two boxes for each photo.
n=0
for photo in "$data"/photos/*.JPEG; do
  echo "{\"path\": \"$photo\", \"objects\": {\"bbox\": [[$((n % 50)), 10, 300, 200], [20, $((n % 30)), 100, 150]], \"category\": [\"a\", \"b\"]}}"
  n=$((n + 1))
done >"$tmp/objects.jsonl"
for sink in "coco: {part_rows: 32}" "yolo: {part_rows: 32, image: png}"; do
  check "${sink%%:*}-pictures" "$sink" "{manifest: {path: '$tmp/objects.jsonl', tasks: [], objects: {column: objects, bbox: xywh}}}" \
    decode "rotate: {degrees: 30}" "flip: {}" "resize: {height: 112, width: 112}" "batch: {size: 16}"
done
rm -r "$tmp"
