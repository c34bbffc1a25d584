"""Values that a careless renderer gets wrong, and the comparison of what other parsers read back."""

import json
import sys
import tomllib

import yaml

# Every word that YAML 1.1 or 1.2 takes for something else than a string, and every
# character that some format folds, escapes or forbids.
WORDS = [
    "", " ", "~", "null", "Null", "y", "N", "yes", "No", "on", "OFF", "true", "False", "1", "-1", "+1", "0x1F", "0o17",
    "017", "1_000", "1e3", "1.5", ".5", ".inf", "-.INF", ".nan", "1:20", "190:20:30", "2024-01-02", "2001-12-14t21:59:43Z",
    "<<", "=", "-", "- a", "?", "? a", ":", "a:", "a: b", "a:b", ":a", "a #b", "#a", "&a", "*a", "!a", "!!str", "|", ">", "@a",
    "`a", "%a", "{a}", "[a]", "{", "]", ",", "a, b", "'", "''", '"', "it's", 'say "x"', "\\", "a\\nb", "a\nb", "\n", "a\n\nb\n",
    " a", "a ", "\ta", "a\tb", "a\rb", "---", "...", "/", "/etc/x", "unix:///run/containerd/containerd.sock", "system:node:a",
    "10.0.2.15", "10s", "kubelet.config.k8s.io/v1beta1", "grüße", "日本", "😀", "$HOME", "${x}", "$$", "%n", "\x01", "\x1b[0m",
    "\x7f", "\x85", "\x9f", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe", "x" * 250, "x" * 5000, "yes" * 2, "a.b.c", "a/b: c",
]  # fmt: skip

KEYS = [word for word in WORDS if len(word) < 1000]

NASTY = {
    "null": [None, {"a": None}],
    "words": WORDS,
    "keys": {word: number for number, word in enumerate(KEYS)},
    "nested keys": {word: {"a": {"b": word}} for word in KEYS},
    "numbers": [0, -1, 9223372036854775807, 0.5, -1.25, 100000.0, True, False],
    "empty": {"list": [], "set": {}, "lists": [[], [[]], {}], "sets": {"a": {}, "b": []}},
    "lists": [[1, [2, [3]]], [{"a": [{"b": [1, {"c": {"d": 2}}]}], "e": "f"}, {"x": {"y": []}}]],
    "own after nested": {"a": {"x": 1}, "b": 2, "c": {"d": {"e": {"f": 3}}}, "d": [{"a": 1, "b c": {"d": "e"}}]},
}


def compare(nasty_path, formats_path):
    with open(nasty_path) as file:
        nasty = json.load(file)
    with open(formats_path) as file:
        texts = json.load(file)
    without_null = {key: value for key, value in nasty.items() if key != "null"}
    checks = [("json", json.loads, nasty), ("yaml", yaml.safe_load, nasty), ("toml", tomllib.loads, without_null)]
    for name, parse, want in checks:
        difference = first_difference(want, parse(texts[name]))
        if difference:
            sys.exit(f"render-test: {name}: {difference}")


def first_difference(want, got, at="the document"):
    if type(want) is not type(got):
        return f"{at}: wrote {want!r}, read {got!r}"
    if isinstance(want, dict):
        if want.keys() != got.keys():
            return f"{at}: keys differ: {sorted(map(repr, want.keys() ^ got.keys()))}"
        pairs = [(f"{at}.{key!r}", want[key], got[key]) for key in want]
    elif isinstance(want, list):
        if len(want) != len(got):
            return f"{at}: wrote {len(want)} items, read {len(got)}"
        pairs = [(f"{at}[{number}]", *pair) for number, pair in enumerate(zip(want, got))]
    else:
        return None if want == got else f"{at}: wrote {want!r}, read {got!r}"
    return next((found for path, *pair in pairs if (found := first_difference(*pair, path))), None)


def words(program):
    """Words of a command line that systemd would change or drop if they were not escaped."""
    package = program.removesuffix("/bin/kubelet")
    return {"packagePath": package, "words": ["#", ";", "", "a\nb", "%i $HOME ${HOME}", "\\", '"', "-"]}


if __name__ == "__main__":
    if sys.argv[1] == "nasty":
        json.dump(NASTY, sys.stdout)
    elif sys.argv[1] == "words":
        json.dump(words(sys.argv[2]), sys.stdout)
    else:
        compare(*sys.argv[2:])
