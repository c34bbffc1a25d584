# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# A cluster that is changed as it runs: one setting, its keys, its workers.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

# both_pids UNIT: its process on each worker.
both_pids() {
  local node pid
  for node in gamma sigma; do
    pid=$(ask "$node" systemctl show -P MainPID "$1") && ((pid > 0)) && echo "$node $pid" || return 1
  done
}

basic apply_change 150 cluster "apply: one change, one restart, back where it fails, and taken out again"
# A user's module changes the kubelet on one worker: nothing but that kubelet restarts,
# and one that does not start brings its node back to what it ran before.
apply_change() {
  local containerds kubelets gamma told=$work/told
  cluster=$main
  cat >"$main/mine.nix" <<'END'
{ ... }:
{
  hardway.components.kubelet.flags.v = 3;
  hardway.components.kubelet.config.maxPods = 50;
}
END
  jq '.nodes.sigma.modules = ["./mine.nix"]' "$top/rehearsal/cluster.json" >"$main/cluster.json" || return 1
  containerds=$(both_pids containerd) && kubelets=$(both_pids kubelet) || return 1
  gamma=$(grep '^gamma ' <<<"$kubelets") || return 1

  "$hardway" --dir "$main" apply --dry-run >"$told" || return 1
  grep -qxF '+  hardway.components.kubelet.flags.v = 3;' "$told" &&
    grep -qxF 'sigma: would restart kubelet.service' "$told" || fail "$(cat "$told")" || return 1
  ends_with 1 grep -F 'gamma: would restart' "$told" || return 1
  [[ $(both_pids kubelet) == "$kubelets" ]] || fail "a dry run restarted a kubelet" || return 1

  "$hardway" --dir "$main" apply --no-verify >"$told" || return 1
  grep -qxF 'sigma: restarted kubelet.service' "$told" || fail "$(cat "$told")" || return 1
  ask sigma systemctl cat kubelet.service | grep -E '^  --v=3( \\)?$' || return 1
  ask sigma grep -x 'maxPods: 50' /etc/kubernetes/kubelet.yaml || return 1
  [[ $(both_pids containerd) == "$containerds" ]] || fail "a containerd was restarted" || return 1
  both_pids kubelet | grep -xF "$gamma" || fail "gamma's kubelet was restarted" || return 1
  [[ $("$hardway" --dir "$main" apply) == "nothing to do: alpha, gamma, sigma run what is generated now" ]] ||
    fail "a second apply finds something to do" || return 1

  sed -i 's/flags.v = 3/flags.no-such-flag = 3/' "$main/mine.nix"
  ! "$hardway" --dir "$main" apply sigma >"$told" 2>&1 || fail "a kubelet with an unknown flag started" || return 1
  grep -F 'sigma runs what it ran before again' "$told" &&
    grep -F 'the following units failed: kubelet.service' "$told" || fail "$(cat "$told")" || return 1
  ask sigma systemctl cat kubelet.service | grep -E '^  --v=3( \\)?$' || return 1

  # Without the module the node is what it was at first, and fits its snapshots again.
  cp "$top/rehearsal/cluster.json" "$main/" && "$hardway" --dir "$main" apply --no-verify || return 1
  ask sigma systemctl cat kubelet.service >"$told" && grep -F -- '--config=' "$told" || fail "$(cat "$told")" || return 1
  ends_with 1 grep -F -- '--v=3' "$told" || return 1
  all_ready
}

drill keys_on_nodes 5 cluster "on each node are this host's keys, and who reads them has started since" \
  generator/pki generator/hardway/src/ops/apply modules/
# What is on each node is this host's, and its readers have started since it came.
keys_on_nodes() {
  local node
  for node in alpha gamma sigma; do
    "$hardway" --dir "$main" pki verify --node "$node" || return 1
  done
}

drill rotate_ca 379 cluster \
  "rotate-ca: the cluster's CA replaced on running machines, in three steps" \
  generator/pki generator/hardway/src/ops/rotate generator/hardway/src/ops/apply generator/hardway/src/commands/pki
# The cluster's CA, and all that it has signed. The cluster goes on; it refuses a kubeconfig
# from before, and that kubeconfig refuses the server.
rotate_ca() {
  local before=$work/before.kubeconfig told=$work/told
  cp "$main/.hardway/kubeconfig" "$before" || return 1
  "$hardway" --dir "$main" pki rotate-ca ca --apply >"$told" || fail "$(cat "$told")" || return 1
  [[ $(tail -n 1 "$told") == "ca is replaced; what the old one signed is refused from now on" ]] ||
    fail "$(cat "$told")" || return 1
  keys_on_nodes && "$hardway" --dir "$main" pki verify && kubectl get nodes || return 1
  ! kubectl --kubeconfig "$before" get nodes >"$told" 2>&1 || fail "the old CA is still trusted" || return 1
  grep -F 'certificate signed by unknown authority' "$told" || fail "$(cat "$told")" || return 1
  ! kubectl --kubeconfig "$before" --certificate-authority "$main/.hardway/pki/ca.pem" get nodes >"$told" 2>&1 ||
    fail "the API server takes a client from before" || return 1
  is_refused "$told"
}

# is_refused FILE: kubectl says in FILE that the API server does not know who asks.
is_refused() { grep -E 'Unauthorized|must be logged in|provide credentials' "$1" || fail "$(cat "$1")"; }

# on NODE POD COMMAND…: a Pod on that very node.
on() {
  local node=$1 pod=$2
  shift 2
  kubectl run "$pod" --image=docker.io/library/busybox:1.37 --image-pull-policy=IfNotPresent --restart=Never \
    --overrides="{\"spec\":{\"nodeName\":\"$node\",\"terminationGracePeriodSeconds\":1}}" --command -- "$@"
}

# Which boot and which QEMU each of the first three nodes is in.
lives() {
  boot_ids | grep -v '^theta ' && pids_of_all
}

basic add_worker 130 cluster "a worker is added: only it is installed, and no other machine restarts"
# Only the new worker is installed; no other machine restarts, and every node knows the new one.
add_worker() {
  local before address
  before=$(lives) || return 1
  jq '.nodes.theta = { role: "worker", address: "10.240.0.23" }' "$main/cluster.json" >"$work/grown" &&
    cp "$work/grown" "$main/cluster.json" && "$hardway" --dir "$main" up --no-snapshot --iso "$iso" || return 1
  kubectl wait --for=condition=Ready node/theta --timeout=5s || return 1
  [[ $(lives) == "$before" ]] || fail "others were started again: $before, then $(lives)" || return 1
  cluster=$main
  ask alpha getent hosts theta || return 1
  on theta answers httpd -f -p 8080 -h /etc && kubectl wait --for=condition=Ready pod/answers --timeout=120s || return 1
  address=$(kubectl get pod answers -o 'jsonpath={.status.podIP}') && [[ $address == 10.200.23.* ]] || return 1
  on sigma asks wget -q -T 10 -O - "http://$address:8080/hostname" &&
    kubectl wait --for='jsonpath={.status.phase}=Succeeded' pod/asks --timeout=120s || return 1
  kubectl logs asks | grep -x answers && kubectl delete pod asks
}

step remove_worker 25 "a worker is removed: drained, deleted, its disk removed"
# Without a terminal to ask on, it needs --yes.
remove_worker() {
  local before status routes
  before=$(lives) || return 1
  jq 'del(.nodes.theta)' "$main/cluster.json" >"$work/shrunk" && cp "$work/shrunk" "$main/cluster.json" || return 1
  "$hardway" --dir "$main" up --no-snapshot --iso "$iso"
  status=$?
  ((status == 2)) && kubectl get node theta || fail "not asked: exit code $status" || return 1
  "$hardway" --dir "$main" up --yes --no-snapshot --iso "$iso" || return 1
  is_gone node theta || return 1
  [[ $(lives) == "$before" ]] || fail "others were started again: $before, then $(lives)" || return 1
  [[ ! -e $main/.hardway/nodes/theta ]] || fail "its folder is there" || return 1
  ! compgen -G "$main/.hardway/pki/*theta*" || fail "its keys are there" || return 1
  cluster=$main
  ends_with 2 ask alpha getent hosts theta || fail "alpha still knows it" || return 1
  # What it has for gamma, it has not for theta.
  routes=$(ask sigma ip route) && [[ $routes == *10.200.22.* ]] || fail "sigma's routes: $routes" || return 1
  [[ $routes != *10.200.23.* ]] || fail "sigma still has a way to it"
}
