"""Finds settings of sysctl that undo each other, in the files of sysctl.d(5) that are given.

The kernel has names that write the same value, and names whose value holds for others too.
Where two such names have two values, the one that is written last wins: the order of the
names decides, and until then the other value holds, each time the settings are applied.

    sysctl.py FILE…
"""

import itertools
import pathlib
import re
import sys

# Names of one value, as a pattern each; what differs between them is no group of the pattern.
# Sources: Documentation/networking/ip-sysctl.rst and Documentation/admin-guide/sysctl/vm.rst.
SAME = [
    # Forwarding of `all` is ip_forward, and is written to `default` and to each interface.
    r"net/ipv4/(?:ip_forward|conf/.+/forwarding)",
    r"net/ipv6/conf/.+/forwarding",
    # Written to `default` and to each interface, too.
    r"net/ipv6/conf/.+/disable_ipv6",
]

# Names of which one becomes 0 as the other is written.
EITHER = [
    r"vm/dirty_(?:bytes|ratio)",
    r"vm/dirty_background_(?:bytes|ratio)",
    r"vm/overcommit_(?:kbytes|ratio)",
]


def path(name):
    """A name as a path below /proc/sys: the first separator says which one the name has."""
    name = name.removeprefix("-")
    first = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if first and first[0] == "." else name


def settings(text):
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and line[0] not in "#;")
    return [(name.strip(), value.strip()) for name, value in pairs]


def undo_each_other(one, other):
    paths = path(one[0]), path(other[0])
    if paths[0] == paths[1] or any(all(re.fullmatch(names, at) for at in paths) for names in SAME):
        return one[1] != other[1]
    return any(all(re.fullmatch(names, at) for at in paths) for names in EITHER)


def main():
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    wrong, count = [], 0
    for file in files:
        given = settings(file.read_text())
        count += len(given)
        for pair in itertools.combinations(given, 2):
            if undo_each_other(*pair):
                wrong.append(f"{file}: " + " and ".join(map("=".join, pair)) + " undo each other")
    if wrong or not count:
        sys.exit("\n".join(wrong) or "sysctl: no setting to look at")
    print(f"sysctl: {count} settings in {len(files)} files, and no two undo each other")


main()
