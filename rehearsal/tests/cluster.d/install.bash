# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# The cluster from nothing, what it looks like then, and installations that go wrong.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

basic ctrl_c_while_up_installs 7 none "Ctrl-C while up installs: exit code 130, no process left"
# Ctrl-C on a terminal, which goes to every process there, as soon as the first
# stage of three installations is through. The next check goes on from here.
ctrl_c_while_up_installs() {
  local told=$work/told status
  mkdir -p "$main" && cp "$top/rehearsal/cluster.json" "$top/rehearsal/cluster.env" "$main/" || return 1
  : >"$told"
  {
    # Or script's last line, where hardway ended by itself.
    await "the stage after boot" 280 grep -qE ': *boot |^Script done' "$told" >&2
    printf '\003'
  } | TERM=xterm timeout 300 script --quiet --return --flush --log-out "$told" \
    --command "$(printf '%q ' "$hardway" --dir "$main" up --iso "$iso")" >/dev/null
  status=$?
  cat -v "$told"
  ((status == 130)) || fail "exit code $status" || return 1
  grep -q 'error: interrupted' "$told" || fail "it does not say what happened" || return 1
  ! grep -q '\^C' "$told" || fail "the terminal showed ^C, which disturbs the moving lines" || return 1
  ends_with 1 pgrep -af -- "$main/.hardway" || fail "these processes outlive hardway" || return 1
  ! compgen -G "$main/.hardway/nodes/*/installed.json" || fail "half-installed, and noted as whole" || return 1
  ! compgen -G "$main/.hardway/base/*.json" || fail "a base that is cut short, and noted as whole"
}

basic install_and_verify 299 none "from cluster.json to a verified cluster"
install_and_verify() {
  "$top/scripts/rehearse" --hardway "$hardway" --dir "$main"
}

basic up_again 3 cluster "up again changes nothing"
# The second run finds nothing to do, and leaves every machine alone.
up_again() {
  local before after
  before=$(pids_of_all) && "$hardway" --dir "$main" up --iso "$iso" && after=$(pids_of_all) || return 1
  [[ $before == "$after" ]] || fail "machines were started again"
}

basic status_and_logs 6 cluster "status, events, logs, top and doctor on a healthy cluster"
# Looking asks QEMU and the guest agents; on a busy host not every answer comes in time.
status_and_logs() {
  local status='' well='.api.ready and .problems == [] and all(.nodes[]; .units | length > 3)'
  for _ in {1..10}; do
    status=$("$hardway" --dir "$main" status --json) || return 1
    ! jq -e "$well" <<<"$status" >/dev/null || break
    sleep 3
  done
  jq -e "$well" <<<"$status" >/dev/null || fail "status: $status" || return 1
  "$hardway" --dir "$main" events --json |
    jq -e '.unavailable == [] and any(.events[]; .kind == "Node" and .object == "sigma")' || return 1
  "$hardway" --dir "$main" logs sigma kubelet -n 5 | grep -F 'kubelet[' || return 1
  "$hardway" --dir "$main" top --json |
    jq -e 'length == 3 and all(.running and .residentMiB > 0 and .guest.totalMiB > 0)' || return 1
  "$hardway" --dir "$main" doctor --json |
    jq -e 'any(.name == "guests\u0027 clocks" and .verdict == "ok")'
}

drill ssh_access 5 cluster \
  "ssh lets in who has the cluster's key, and knows the machine" \
  generator/hardway/src/ops/ssh.rs generator/hardway/src/commands/ssh.rs modules/ generator/model/src/plan
# By the cluster's own key and no password, on one NIC, and only at the machine whose key
# is known.
ssh_access() {
  local config=$main/.hardway/ssh/config status told
  [[ $("$hardway" --dir "$main" ssh sigma hostname) == sigma ]] || return 1
  "$hardway" --dir "$main" ssh sigma exit 3
  status=$?
  ((status == 3)) || fail "exit code $status of a command that ended with 3" || return 1
  # ssh itself ends with 255 where it gets no further.
  told=$(ssh -F "$config" -o PubkeyAuthentication=no sigma true 2>&1)
  [[ $told == *'Permission denied (publickey).'* ]] || fail "without the key: $told" || return 1
  sed -n 's/^gamma /sigma /p' "$main/.hardway/ssh/known_hosts" >"$work/known_hosts"
  told=$(ssh -F "$config" -o "UserKnownHostsFile=$work/known_hosts" sigma true 2>&1)
  [[ $told == *'Host key verification failed.'* ]] || fail "with another's key: $told" || return 1
  cluster=$main
  ask sigma ss -Hltn 'sport = :22' | tee /dev/stderr | grep -F '%uplink0:22' || return 1
  nothing ask sigma find /etc/ssh -name 'ssh_host_*' || fail "sigma has a key that is Debian's"
}

drill units_verify 8 cluster "systemd finds nothing wrong with the units" \
  modules/ generator/model/src/plan generator/hardway/src/render hosts/ rehearsal/eval
units_verify() {
  cluster=$main
  ask alpha systemd-analyze verify etcd.service kube-apiserver.service \
    kube-controller-manager.service kube-scheduler.service hardway-pki.service || return 1
  ask sigma systemd-analyze verify containerd.service kubelet.service kube-proxy.service hardway-pki.service
}

drill install_failures 204 off "installations that go wrong" scripts/install.exp generator/hardway/src/ops/install \
  generator/hardway/src/deploy/install generator/hardway/src/deploy/medium generator/hardway/tests/install rehearsal/nixos-install rehearsal/medium
# Full disks, a wrong checksum, a leaked key, Ctrl-C: each on a real machine.
install_failures() {
  (cd "$top" && HARDWAY_ISO=$iso cargo test --release --locked --test install -- --ignored --test-threads 2)
}
