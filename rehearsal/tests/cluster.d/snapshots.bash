# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# Snapshots of a whole cluster, and what may break one off.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

drill disk_full_while_saving 9 off "the disk full while saving" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs generator/qemu/src/qmp.rs \
  generator/hardway/tests/machine
# A save on a file system of its own, 192 MiB, that only this test sees.
disk_full_while_saving() {
  unshare --mount --map-root-user true 2>/dev/null || {
    echo "unshare is refused here, so that no small file system can be made"
    return 77
  }
  # shellcheck disable=SC2016 # $1 and $2 are the inner shell's
  mkdir -p "$work/small" && unshare --mount --map-root-user sh -c '
    mount -t tmpfs -o size=192m none "$1" && cd "$2" && HARDWAY_SMALL=$1 exec cargo test --release --locked \
      --test machine -- --ignored a_full_disk' sh "$work/small" "$top"
}

basic reset_cluster 8 cluster "reset: the cluster as it was installed"
# What `up` saved by itself, and what happened since is gone.
reset_cluster() {
  kubectl create configmap since --from-literal=word=since && "$hardway" --dir "$main" reset --yes && all_ready &&
    is_gone configmap since
}

drill up_from_snapshot 45 cluster "up --from: from power off to a snapshot, nodes Ready" \
  generator/hardway/src/ops/snapshot generator/hardway/src/ops/up.rs generator/qemu
# From power off to Ready in one command.
up_from_snapshot() {
  "$hardway" --dir "$main" snapshot save evening && kubectl create configmap since --from-literal=word=since &&
    down_ends_every_machine && "$hardway" --dir "$main" up --yes --from evening --iso "$iso" && all_ready &&
    is_gone configmap since && "$hardway" --dir "$main" snapshot delete evening --yes
}

# is_gone KIND NAME
is_gone() { nothing kubectl get "$1" "$2" --ignore-not-found -o name || fail "$1 $2 is still there"; }

basic restore_snapshot 12 cluster "a snapshot brings back what was deleted since, nodes Ready"
# What was deleted after a snapshot is there again, and no guest was started again for it.
restore_snapshot() {
  local before node told now
  before=$(boot_ids) && "$hardway" --dir "$main" kubectl create configmap saved --from-literal=word=saved &&
    "$hardway" --dir "$main" snapshot save before-the-mistake &&
    "$hardway" --dir "$main" kubectl delete configmap saved &&
    "$hardway" --dir "$main" restore before-the-mistake --yes || return 1
  [[ $("$hardway" --dir "$main" kubectl get configmap saved -o 'jsonpath={.data.word}') == saved ]] || return 1
  "$hardway" --dir "$main" kubectl wait --for=condition=Ready nodes --all --timeout=60s || return 1
  [[ $before == "$(boot_ids)" ]] || fail "guests were started again: $before, then $(boot_ids)" || return 1
  cluster=$main
  for node in alpha gamma sigma; do
    told=$(ask "$node" date +%s) && now=$(date +%s) || return 1
    ((told > 0 && now - told < 30)) || fail "$node's clock is $((now - told)) s behind" || return 1
  done
  kubectl delete configmap saved && "$hardway" --dir "$main" snapshot delete before-the-mistake --yes
}

drill restore_with_pki 20 cluster "a snapshot brings the keys of its time back" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs generator/pki
# The host lost its keys since, and has made others: the snapshot is refused, unless it
# brings its own back.
restore_with_pki() {
  local kept=$work/pki told
  "$hardway" --dir "$main" snapshot save before-the-loss && cp -r "$main/.hardway/pki" "$kept" &&
    rm -r "$main/.hardway/pki" "$main/.hardway/kubeconfig" && "$hardway" --dir "$main" generate || return 1
  ! told=$("$hardway" --dir "$main" restore before-the-loss 2>&1) || fail "it was not refused" || return 1
  grep -F 'hint: bring its PKI back too: hardway restore before-the-loss --with-pki' <<<"$told" ||
    fail "$told" || return 1
  "$hardway" --dir "$main" restore before-the-loss --with-pki --yes || return 1
  diff -r "$kept" "$main/.hardway/pki" && rm -r "$kept" || return 1
  "$hardway" --dir "$main" kubectl wait --for=condition=Ready nodes --all --timeout=60s || return 1
  [[ $("$hardway" --dir "$main" ssh gamma hostname) == gamma ]] || return 1
  "$hardway" --dir "$main" snapshot delete before-the-loss --yes
}

# hardway more than a year from now: its leaves are valid for one. kubectl is a Go program,
# which takes the time from the kernel and not from the C library.
next_year() {
  env NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f +400d "$hardway" --dir "$main" "$@"
}

well_next_year() { next_year status --json | tee /dev/stderr | jq -e '.api.ready and .problems == []'; }

drill restore_expired_certificates 143 cluster \
  "a snapshot whose certificates have expired since: told, and renewed" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs generator/pki \
  generator/hardway/src/ops/apply
# A snapshot of last year comes back with certificates that have expired: restore says so, and
# what is said to help does.
restore_expired_certificates() {
  local told=$work/told status
  "$hardway" --dir "$main" snapshot save last-year || return 1
  next_year restore last-year --yes >"$told" 2>&1
  status=$?
  ((status == 1)) || fail "exit code $status: $(cat "$told")" || return 1
  grep -E '^warning: since last-year was saved, certificates have expired: admin, .*kubelet-client-sigma' "$told" &&
    grep -xF 'hint: hardway pki renew --all, then hardway apply' "$told" || fail "$(cat "$told")" || return 1
  ! kubectl get nodes >"$told" 2>&1 || fail "the API server takes who has expired" || return 1
  is_refused "$told" || return 1

  next_year pki renew --all && next_year apply --no-verify &&
    await "a cluster that is well next year" 60 well_next_year || return 1

  "$hardway" --dir "$main" restore last-year --with-pki --yes &&
    "$hardway" --dir "$main" kubectl wait --for=condition=Ready nodes --all --timeout=60s &&
    "$hardway" --dir "$main" snapshot delete last-year --yes
}

drill restore_while_writing 20 cluster "a restore while a kubectl writes" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs
# A restore under a kubectl that writes: whatever it was told, the cluster goes on. The
# snapshot has the counter, so that the writer can go on with it.
restore_while_writing() {
  have_counter && "$hardway" --dir "$main" snapshot save under-load && while_writing \
    "$hardway" --dir "$main" restore under-load --yes &&
    "$hardway" --dir "$main" snapshot delete under-load --yes
}

drill save_and_restore_20_times 136 cluster "20 saves and restores, and each time what etcd held" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs
# What etcd held at the time of each snapshot is what it holds after the restore.
save_and_restore_20_times() {
  local round now
  have_counter || return 1
  for round in {1..20}; do
    count "$round" && "$hardway" --dir "$main" snapshot save round && count "after $round" &&
      "$hardway" --dir "$main" restore --yes --no-wait round || return 1
    await "an answer in round $round" 60 counter >/dev/null || return 1
    now=$(counter) || return 1
    [[ $now == "$round" ]] || fail "in round $round the counter was '$now'" || return 1
    "$hardway" --dir "$main" snapshot delete round --yes || return 1
  done
  "$hardway" --dir "$main" kubectl wait --for=condition=Ready nodes --all --timeout=60s
}

# An API server that has just come back may refuse once.
count() {
  await "the counter to be set to $1" 60 "$hardway" --dir "$main" kubectl patch configmap counter \
    --patch "{\"data\":{\"number\":\"$1\"}}"
}

drill killed_while_saving 20 cluster "hardway killed while it saves: up goes on" \
  generator/hardway/src/ops/snapshot generator/qemu/src/images generator/qemu/src/movement.rs
# hardway itself is killed while it saves: the guests stand still, status says so, and the
# next `up` lets them go on.
killed_while_saving() {
  local saving before
  before=$(written_by sigma) || return 1
  "$hardway" --dir "$main" snapshot save broken-off &
  saving=$!
  await "sigma's memory to be written" 60 wrote_much sigma "$before" || return 1
  kill -9 "$saving" && ! wait "$saving" || return 1
  await "a word on it" 30 tells_of_the_pause || return 1
  "$hardway" --dir "$main" up --iso "$iso" && "$hardway" --dir "$main" snapshot save broken-off &&
    "$hardway" --dir "$main" snapshot delete broken-off --yes
}

# Bytes that a node's QEMU has written so far.
written_by() { sed -n 's/^wchar: //p' "/proc/$(pid_of "$main" "$1")/io"; }

wrote_much() { (($(written_by "$1") - $2 > 30000000)); }

# QEMU answers once its own work on the snapshot is through.
tells_of_the_pause() {
  "$hardway" --dir "$main" status --json | tee /dev/stderr |
    jq -e 'any(.problems[]; .what | endswith("is paused, as by a snapshot that was broken off"))'
}
