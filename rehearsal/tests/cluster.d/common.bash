# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# What drills ask with: hardway, kubectl and the guest agents, and how they wait.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

# ask NODE COMMAND…: runs a command in a guest of $cluster through its guest
# agent, prints what it printed, and ends with its exit code.
ask() {
  local node=$1
  shift
  python3 "$top/rehearsal/tests/guest-exec" "$cluster/.hardway/nodes/$node/argv" "$@"
}

pid_of() { jq -er .pid "$1/.hardway/nodes/$2/pid.json"; }

# pids_of_all: the QEMU of each of the first three nodes; fails where one is missing.
pids_of_all() {
  local node
  for node in alpha gamma sigma; do pid_of "$main" "$node" || return 1; done
}

fail() {
  echo "$1"
  return 1
}

# ends_with CODE COMMAND…: it ends with that exit code. A command that must fail does so
# in one way: grep that finds nothing ends with 1, getent that knows no such name with 2,
# and `ask` that cannot reach the guest with 125.
ends_with() {
  local wanted=$1 status=0
  shift
  "$@" || status=$?
  ((status == wanted)) || fail "exit code $status, not $wanted: $*"
}

# nothing COMMAND…: it succeeds, and prints nothing.
nothing() {
  local told
  told=$("$@") || fail "exit code $? from: $*" || return 1
  [[ -z $told ]] || fail "$* prints: $told"
}

# gone PID: waits until the process has ended, at most 60 s; one that only waits to
# be reaped has.
gone() {
  local deadline=$((SECONDS + 60))
  while [[ -d /proc/$1 ]] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; do
    ((SECONDS < deadline)) || fail "process $1 still runs after 60 s" || return 1
    sleep 0.2
  done
}

# await WHAT SECONDS COMMAND…: until it succeeds.
await() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "waited for $what in vain" || return 1
    sleep 0.3
  done
}

all_ready() { kubectl wait --for=condition=Ready nodes --all --timeout=120s; }

# Whatever a failed drill has left, back to what the next one needs.
become_seconds=90
become_cluster() {
  is_off "$second" && cp "$top/rehearsal/cluster.json" "$top/rehearsal/cluster.env" "$main/" &&
    "$hardway" --dir "$main" up --yes --no-snapshot --iso "$iso" &&
    "$hardway" --dir "$main" apply --no-verify && all_ready
}
become_off() { is_off "$second" && is_off "$main"; }
become_none() { become_off && rm -rf "$main"; }
is_off() { [[ ! -d $1/.hardway ]] || "$hardway" --dir "$1" down; }

is_installed() {
  local node
  for node in alpha gamma sigma; do
    [[ -e $main/.hardway/nodes/$node/installed.json ]] || return 1
  done
}

lines() { (($(wc -l <"$1") >= $2)); }

boot_ids() {
  "$hardway" --dir "$main" kubectl get nodes \
    -o 'jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.bootID}{"\n"}{end}'
}

kubectl() { "$hardway" --dir "$main" kubectl "$@"; }
