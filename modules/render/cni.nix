# Lines for systemd-tmpfiles: CNI plugins as links in /opt/cni/bin. The folder, and
# /etc/cni/net.d, stay writable, since Cilium installs its own files there.
{
  plugins,
  directory ? "/usr/lib/cni",
}:
[
  "d /etc/cni/net.d 0755 root root -"
  "d /opt/cni/bin 0755 root root -"
]
++ map (plugin: "L+ /opt/cni/bin/${plugin} - - - - ${directory}/${plugin}") plugins
