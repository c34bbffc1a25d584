# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# Machines that end, in order or not, while someone writes into etcd.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

# writes FILE: counts in the ConfigMap `counter`, and notes in FILE each number that the
# API server acknowledged, until FILE.stop is there. What fails is tried again.
writes() {
  local number=0
  while [[ ! -e $1.stop ]]; do
    number=$((number + 1))
    "$hardway" --dir "$main" kubectl patch configmap counter --request-timeout=10s \
      --patch "{\"data\":{\"number\":\"$number\"}}" >/dev/null 2>&1 && echo "$number" >>"$1"
  done
}

counter() {
  "$hardway" --dir "$main" kubectl get configmap counter -o 'jsonpath={.data.number}'
}

have_counter() {
  local found
  found=$(kubectl get configmap counter --ignore-not-found -o name) || return 1
  [[ -n $found ]] || kubectl create configmap counter --from-literal=number=0
}

# while_writing COMMAND…: runs it while a kubectl counts, which has counted before and
# counts on afterwards.
while_writing() {
  local file=$work/written status=0 before writer
  rm -f "$file" "$file.stop"
  : >"$file"
  have_counter || return 1
  writes "$file" &
  writer=$!
  await "three numbers" 60 lines "$file" 3 && "$@" || status=1
  before=$(wc -l <"$file")
  ((status)) || await "another number after $before" 120 lines "$file" $((before + 1)) || status=1
  touch "$file.stop"
  wait "$writer"
  return "$status"
}

# holds_what_was_acknowledged: etcd has the last number that the API server said yes to,
# or one that was on its way.
holds_what_was_acknowledged() {
  local last now
  last=$(tail -n 1 "$work/written") && now=$(counter) || return 1
  ((now >= last)) || fail "etcd has $now, and $last was acknowledged"
}

# kill_machines NODE…: as a power cut, all at once, while etcd writes.
kill_machines() {
  local node pid pids=()
  for node in "$@"; do
    pid=$(pid_of "$main" "$node") && pids+=("$pid") || return 1
  done
  kill -9 "${pids[@]}" || return 1
  for pid in "${pids[@]}"; do gone "$pid" || return 1; done
}

drill kill_control_plane 81 cluster \
  "kill -9 of the control plane's QEMU while etcd writes, then up: nothing lost, workers not restarted" \
  generator/qemu generator/hardway/src/ops/up.rs
# The segment has no server that must be first: its hub may die and come back.
kill_control_plane() {
  local before after
  before=$(boot_ids) && [[ $(wc -l <<<"$before") == 2 ]] || return 1
  while_writing kill_control_plane_and_up || return 1
  after=$(boot_ids)
  [[ $before == "$after" ]] || fail "workers were started again: $before, then $after"
}

kill_control_plane_and_up() {
  kill_machines alpha || return 1
  "$hardway" --dir "$main" status --json |
    jq -e 'any(.nodes[]; .name == "alpha" and .machine == "died")' || return 1
  "$hardway" --dir "$main" up --iso "$iso" && holds_what_was_acknowledged
}

drill kill_every_machine 147 cluster "kill -9 of every machine while etcd writes, then up: nothing lost" \
  generator/qemu generator/hardway/src/ops/up.rs
kill_every_machine() { while_writing kill_every_machine_and_up; }

kill_every_machine_and_up() {
  kill_machines alpha gamma sigma && "$hardway" --dir "$main" up --iso "$iso" && holds_what_was_acknowledged
}

down_ends_every_machine() {
  local pid pids
  pids=$(pids_of_all) && "$hardway" --dir "$main" down || return 1
  for pid in $pids; do gone "$pid" || return 1; done
}

drill up_after_down 109 cluster "down ends every machine, and up starts them again" \
  generator/qemu generator/hardway/src/ops/up.rs generator/hardway/src/ops/down.rs
# Every machine starts again from its disk, and what etcd held is still there.
up_after_down() {
  local before after
  before=$(boot_ids) && "$hardway" --dir "$main" kubectl create configmap kept --from-literal=word=kept &&
    down_ends_every_machine && "$hardway" --dir "$main" up --iso "$iso" || return 1
  after=$(boot_ids)
  [[ $(wc -l <<<"$after") == 2 && $before != "$after" ]] || fail "the same boots: $before, then $after" || return 1
  [[ $("$hardway" --dir "$main" kubectl get configmap kept -o 'jsonpath={.data.word}') == kept ]] &&
    kubectl delete configmap kept
}
