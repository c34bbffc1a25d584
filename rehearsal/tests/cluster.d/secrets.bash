# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# Where no private key may be.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

drill no_key_in_store 3 cluster "no private key in a node's store" modules/ scripts/install.exp generator/qemu
# A path: flake is copied into the store, which everyone can read.
no_key_in_store() {
  local node key='^-----BEGIN [A-Z ]*PRIVATE KEY-----$'
  cluster=$main
  for node in alpha gamma sigma; do
    ask "$node" test -d /nix/store -a -d /etc/hardway || return 1
    ends_with 1 ask "$node" grep -rlIE -- "$key" /nix/store /etc || fail "$node: private keys there" || return 1
    # The same search does find the keys where they belong.
    ask "$node" grep -rlIE -- "$key" /var/lib/hardway/pki || fail "$node: the search finds no key anywhere, so it shows nothing" || return 1
  done
}

drill no_key_in_base_image 8 cluster "no key, host key or machine-id in the base" \
  scripts/install.exp generator/hardway/src/deploy/install rehearsal/nixos-install
# The base as it is on disk, read without mounting it.
no_key_in_base_image() {
  local tree=$work/base status=0
  mkdir -p "$tree" && qemu-img convert -O raw "$main"/.hardway/base/*.qcow2 "$work/base.raw" || return 1
  PATH=$PATH:/usr/sbin debugfs -R "rdump /etc /var /root $tree" "$work/base.raw?offset=$((513 << 20))" || return 1
  [[ -s $tree/etc/passwd && ! -e $tree/etc/hardway && ! -e $tree/var/lib/hardway ]] || fail "not the base" || return 1
  [[ ! -s $tree/etc/machine-id ]] || fail "it has a machine-id" || return 1
  ! compgen -G "$tree/etc/ssh/ssh_host_*" || fail "it has a host key" || return 1
  ends_with 1 grep -rlIE -- '^-----BEGIN .*PRIVATE KEY-----$' "$tree" || status=1
  rm -rf "$tree" "$work/base.raw"
  return "$status"
}

drill no_key_on_installer_image 15 cluster "no private key on the installer image" rehearsal/medium rehearsal/build-medium
no_key_on_installer_image() {
  local tree=$work/medium status=0
  xorriso -osirrox on -indev "$iso" -extract /nix-store.squashfs "$work/store.squashfs" >/dev/null 2>&1 || return 1
  unsquashfs -q -n -d "$tree" "$work/store.squashfs" >/dev/null || return 1
  ends_with 1 grep -rlIE -- '^-----BEGIN [A-Z ]*PRIVATE KEY-----$' "$tree" || status=1
  rm -rf "$tree" "$work/store.squashfs"
  return "$status"
}
