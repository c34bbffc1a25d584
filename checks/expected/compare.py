"""What NixOS makes of each node (a folder of files) against what the rehearsal's
nixos-install writes (its manifest). They may differ in what DIFFERENCES lists and in
nothing else: a difference that nobody has thought of is a failure.

    compare.py EXPECTED MANIFESTS.json
"""

import json
import pathlib
import re
import sys

# The allowed differences, a reason each: what a line is rewritten to on both sides
# before they are compared; None drops it.
DIFFERENCES = [
    # NixOS has every unit's programs in the store; Debian has most in /usr.
    (r'Environment="PATH=.*"', None),
    # Locales and time zones are in the store too.
    (r'Environment="(LOCALE_ARCHIVE|TZDIR)=.*"', None),
    # How switch-to-configuration sees that a file has changed; the rehearsal has no such thing.
    (r"X-Restart-Triggers=.*", None),
    # A package is a folder of its own in the store; Debian's are all in /usr.
    (r"(/pkg/[^/ ]+|/usr)/s?bin/", "PACKAGE/"),
    (r"/usr/lib/cni/", "PACKAGE/"),
    # The rehearsal's boot menu has them for every node (rehearsal/layout).
    (r"console=.*|loglevel=4", None),
]

# Whole files of the rehearsal that NixOS has elsewhere or not at all, by their path.
REHEARSAL_ONLY = [
    r"hostname",  # NixOS sets it when it activates
    r"modprobe\.d/.*",  # NixOS' holds its own lines as well
    r"nftables\.conf",  # compared table by table, as nftables/<table>
    r"rehearsal/.*",  # scripts of a user's services: none in the default cluster
    r"ssh/sshd_config|systemd/system/sshd(\.socket|@\.service)",  # NixOS' own services.openssh makes them
    r"systemd/system/hardway-images\.service",  # the medium's own stand in for a registry
    r"systemd/system/.*\.service\.d/overrides\.conf",  # NixOS' drop-ins hold its own lines as well
]

# Files whose lines come in another order.
UNORDERED = ["modules-load.d/nixos.conf", "tmpfiles.d/nixos.conf"]


def normal(path, text):
    """The lines that must be the same."""
    lines = []
    for line in text.rstrip("\n").splitlines():
        for pattern, replacement in DIFFERENCES:
            if replacement is None:
                if re.fullmatch(pattern, line):
                    break
            else:
                line = re.sub(pattern, replacement, line)
        else:
            lines.append(line)
    if path in UNORDERED:
        lines = sorted(one for one in lines if one)
    # NixOS writes this file even with nothing in it.
    if path == "systemd/networkd.conf" and lines == ["[Network]"]:
        return []
    if path.startswith("nftables/"):
        # NixOS indents a table's text otherwise, leaves a bare word unquoted, and has comments.
        lines = [" ".join(one.replace('"', "").split()) for one in lines]
        lines = [one for one in lines if one and not one.startswith("#")]
    return lines


def tables(text):
    """nftables.conf -> {"nftables/<table>": its text}."""
    tables = re.findall(r"^table \w+ ([\w-]+) \{\n(.*?)^\}\n(?=\ntable |\Z)", text, re.M | re.S)
    return {f"nftables/{name}": body for name, body in tables}


def rehearsed(manifest):
    """A manifest -> {path below /etc: text}."""
    files = {
        path.removeprefix("/etc/"): file["text"]
        for path, file in manifest["files"].items()
        if "text" in file
    }
    files.update(tables(files.get("nftables.conf", "")))
    files["kernel-parameters"] = "\n".join(manifest["kernelParams"])
    return {
        path: text
        for path, text in files.items()
        if not any(re.fullmatch(pattern, path) for pattern in REHEARSAL_ONLY)
    }


def expected(folder):
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def main():
    root = pathlib.Path(sys.argv[1])
    manifests = json.loads(pathlib.Path(sys.argv[2]).read_text())
    nodes = sorted(one.name for one in root.iterdir() if one.is_dir())
    if nodes != sorted(manifests):
        sys.exit(f"compare: NixOS has the nodes {nodes}, the rehearsal {sorted(manifests)}")
    wrong, count = [], 0
    for node in nodes:
        nixos, rehearsal = expected(root / node), rehearsed(manifests[node])
        for path in sorted(nixos.keys() | rehearsal.keys()):
            sides = [normal(path, side.get(path, "")) for side in (nixos, rehearsal)]
            count += 1
            if sides[0] != sides[1]:
                only = [sorted(set(a) - set(b)) for a, b in (sides, sides[::-1])]
                wrong.append(f"{node}: {path}")
                wrong += [f"  NixOS only:     {line}" for line in only[0]]
                wrong += [f"  rehearsal only: {line}" for line in only[1]]
                if not any(only):
                    wrong.append("  the same lines in another order")
    if wrong or not count:
        sys.exit("\n".join(wrong) or "compare: nothing to compare")
    print(f"compare: {count} files are the same on NixOS and in the rehearsal")


main()
