# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# A second topology, and its machines started by other ways than hardway.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

drill second_topology 89 off "a second topology, from the same installer image" generator/model/src/topology generator/model/src/plan \
  generator/hardway/src/render generator/qemu scripts/install.exp rehearsal/nixos-install rehearsal/eval modules/
# Other names, ranges and ports, and a user's module, from the same installer image.
second_topology() {
  is_off "$second" && rm -rf "$second" && mkdir -p "$second" || return 1
  cat >"$second/cluster.json" <<'END'
{
  "name": "second",
  "cni": "bridge",
  "apiPort": 7443,
  "network": { "pods": "172.21.0.0/16", "services": "172.22.0.0/24", "segment": "172.20.5.0/24" },
  "nodes": {
    "hub": { "role": "control-plane", "address": "172.20.5.5" },
    "west": { "role": "worker", "address": "172.20.5.7", "modules": ["./verbose.nix"] }
  }
}
END
  cp "$top/rehearsal/cluster.env" "$second/"
  cat >"$second/verbose.nix" <<'END'
# One flag more on one node.
{ ... }:
{
  hardway.components.kubelet.flags.v = 3;
}
END
  "$hardway" --dir "$second" generate && "$hardway" --dir "$second" install west --iso "$iso"
}

step disk_use 1 "three nodes' disks take at most 1.6 times one node's"
# What nodes share they have on disk once: three take at most 1.6 times what one does.
disk_use() {
  local base one
  base=$(du -ck "$second"/.hardway/base/*.qcow2 | awk 'END { print $1 }') || return 1
  one=$(du -ck "$second"/.hardway/nodes/west/{disk,vars}.qcow2 | awk 'END { print $1 }') || return 1
  echo "the base takes $base KiB, and a node $one"
  ((10 * (base + 3 * one) <= 16 * (base + one)))
}

step start_by_hand 27 "a machine started by its saved command line"
start_by_hand() {
  cluster=$second
  sh "$second/.hardway/nodes/west/argv" || return 1
  local deadline=$((SECONDS + 300))
  until ask west true; do
    ((SECONDS < deadline)) || fail "west's guest agent did not answer within 300 s" || return 1
    sleep 2
  done
}

step user_flag 3 "a user's flag is in systemctl cat"
user_flag() {
  cluster=$second
  ask west systemctl cat kubelet.service | tee /dev/stderr | grep -qE '^  --v=3( \\)?$' || return 1
  # The agent may answer before networkd has done its work.
  local deadline=$((SECONDS + 120))
  until ask west ip -4 address show segment0 | tee /dev/stderr | grep -q 'inet 172.20.5.7/24'; do
    ((SECONDS < deadline)) || fail "segment0 has no address after 120 s" || return 1
    sleep 2
  done
}

step boot_by_startup_nsh 35 "a machine that only startup.nsh can start"
# The loader is moved away from the removable path: the firmware finds nothing to
# boot by itself and falls into its shell, which finds startup.nsh.
boot_by_startup_nsh() {
  local pid
  cluster=$second
  pid=$(pgrep -f -- "$second/.hardway/nodes/west/disk.qcow2") || return 1
  ask west sh -c 'cd /boot/EFI && mkdir away && mv BOOT/BOOTX64.EFI away/ &&
    sed -i "s/\\\\BOOT\\\\BOOTX64/\\\\away\\\\BOOTX64/g" ../startup.nsh && cat ../startup.nsh &&
    grep -q away ../startup.nsh && cd / && sync && umount /boot' || return 1
  kill "$pid" && gone "$pid" && start_by_hand && "$hardway" --dir "$second" down
}
