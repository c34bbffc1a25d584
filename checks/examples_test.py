"""docs/examples.md shows each file below checks/examples, word for word.

A file's text follows a line `<!-- PATH -->`, between fences.
"""

import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1])
document = (top / "docs/examples.md").read_text()
shown = dict(re.findall(r"^<!-- (\S+) -->\n+```\w*\n(.*?)^```$", document, re.MULTILINE | re.DOTALL))
# hosts/ is the default cluster's own, and hosts.nix an index of it.
files = [
    path
    for path in sorted((top / "checks/examples").glob("*/*"))
    if path.is_file() and not path.is_symlink() and path.name != "hosts.nix"
]
names = {str(path.relative_to(top)) for path in files}
wrong = [f"{name} is in the document, and not below checks/examples" for name in sorted(shown.keys() - names)]
for path in files:
    name = str(path.relative_to(top))
    if name not in shown:
        wrong.append(f"{name} is not shown")
    elif shown[name] != path.read_text():
        wrong.append(f"{name} is shown otherwise than it is")
if not files:
    wrong.append("there is no example")
sys.exit("\n".join(f"docs/examples.md: {line}" for line in wrong) or 0)
