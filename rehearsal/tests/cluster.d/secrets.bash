# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# Where no private key may be.
#
# Part of rehearsal/tests/cluster, which has what is not defined here.

# A path: flake is copied into the store, which everyone can read.
no_key_in_a_store() {
  local node found key='^-----BEGIN [A-Z ]*PRIVATE KEY-----$'
  cluster=$main
  for node in alpha gamma sigma; do
    ask "$node" test -d /nix/store -a -d /etc/hardway || return 1
    found=$(ask "$node" grep -rlIE -- "$key" /nix/store /etc)
    [[ -z $found ]] || fail "$node: private keys in $found" || return 1
    # The same search does find the keys where they belong.
    found=$(ask "$node" grep -rlIE -- "$key" /var/lib/hardway/pki)
    [[ -n $found ]] || fail "$node: the search finds no key anywhere, so it shows nothing" || return 1
  done
}

# The base as it is on disk, read without mounting it.
no_key_in_the_base() {
  local tree=$work/base found
  mkdir -p "$tree" && qemu-img convert -O raw "$main"/.hardway/base/*.qcow2 "$work/base.raw" || return 1
  PATH=$PATH:/usr/sbin debugfs -R "rdump /etc /var /root $tree" "$work/base.raw?offset=$((513 << 20))" || return 1
  [[ -s $tree/etc/passwd && ! -e $tree/etc/hardway && ! -e $tree/var/lib/hardway ]] || fail "not the base" || return 1
  [[ ! -s $tree/etc/machine-id ]] || fail "it has a machine-id" || return 1
  ! compgen -G "$tree/etc/ssh/ssh_host_*" || fail "it has a host key" || return 1
  found=$(grep -rlIE -- '^-----BEGIN .*PRIVATE KEY-----$' "$tree")
  rm -rf "$tree" "$work/base.raw"
  [[ -z $found ]] || fail "private keys in the base: $found"
}

no_key_on_the_medium() {
  local tree=$work/medium found
  xorriso -osirrox on -indev "$iso" -extract /nix-store.squashfs "$work/store.squashfs" >/dev/null 2>&1 || return 1
  unsquashfs -q -n -d "$tree" "$work/store.squashfs" >/dev/null || return 1
  found=$(grep -rlIE -- '^-----BEGIN [A-Z ]*PRIVATE KEY-----$' "$tree")
  rm -rf "$tree" "$work/store.squashfs"
  [[ -z $found ]] || fail "private keys on the medium: $found"
}
