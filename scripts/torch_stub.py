"""Makes PyPI's torch importable on a machine without a GPU, without its CUDA packages of 2.4 GB.

For tests only: torch's libraries name CUDA libraries that the loader must find, although nothing of
them runs on a processor. This builds an empty library in the place of each missing one, with the
names and versions of symbols that torch asks for. Run as `python torch_stub.py SITE_PACKAGES`; it
needs gcc and readelf. It must not be part of what is shipped, and never replaces a library that is
there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

# Of a library: version name ("" where it has none) to symbol to whether it is data.
Symbols = dict[str, dict[str, bool]]


def main() -> int:
    """Builds what is missing and prints one line for each library; the exit code."""
    if len(sys.argv) != 2:
        print("torch_stub: expected one argument, the folder site-packages", file=sys.stderr)
        return 2
    packages = Path(sys.argv[1])
    libraries = packages / "torch" / "lib"
    own = sorted(libraries.glob("*.so"))
    if not own:
        print(f"torch_stub: no libraries of torch in {libraries}", file=sys.stderr)
        return 1
    present = {path.name for path in packages.glob("nvidia/*/lib/*")} | set(map(_name, own))
    wanted: dict[str, Symbols] = {}
    for library in own:
        _collect(library, wanted)
    for name, symbols in sorted(wanted.items()):
        if name in present or name.startswith(SYSTEM):
            continue
        _build(libraries / name, symbols)
        count = sum(map(len, symbols.values()))
        print(f"torch_stub: {name} in the place of a missing one, {count} symbols")
    return 0


def _collect(library: Path, wanted: dict[str, Symbols]) -> None:
    """Adds the libraries that `library` needs, and what it takes from each."""
    for needed in re.findall(r"\(NEEDED\).*\[(.+?)\]", _readelf("-d", library)):
        wanted.setdefault(needed, defaultdict(dict))
    owners: dict[str, str] = {}
    owner = ""
    for line in _readelf("-V", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            owner = found.group(1)
        elif (found := re.search(r"Name: (\S+)\s+Flags", line)) and owner in wanted:
            owners[found.group(1)] = owner
            # A version without a symbol must exist all the same: the loader looks for it.
            wanted[owner].setdefault(found.group(1), {})
    for line in _readelf("--dyn-syms", library).splitlines():
        if found := UNDEFINED.match(line):
            kind, name, version = found.groups()
            owner = owners.get(version or "") or _owner_of_unversioned(name, version, wanted)
            if owner:
                wanted[owner][version or ""][name] = kind == "OBJECT"


def _owner_of_unversioned(name: str, version: str | None, wanted: dict[str, Symbols]) -> str:
    """Three of the libraries have no versions; their symbols carry their name."""
    if version:
        return ""
    for prefix, library in UNVERSIONED.items():
        if name.startswith(prefix):
            return next((each for each in wanted if each.startswith(library)), "")
    return ""


def _build(target: Path, symbols: Symbols) -> None:
    lines = ["int spb_stub;"]
    versions = []
    for version, names in sorted(symbols.items()):
        for name, is_data in sorted(names.items()):
            lines.append(f"char {name}[4096];" if is_data else f"int {name}(void) {{ return 1; }}")
        if version:
            listed = " ".join(f"{name};" for name in sorted(names)) or "spb_stub;"
            versions.append(f"{version} {{ global: {listed} }};")
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "stub.c"), Path(folder, "stub.map")
        source.write_text("\n".join(lines) + "\n")
        script.write_text("\n".join(versions or ["{ global: *; };"]) + "\n")
        linker = f"-Wl,-soname,{target.name},--version-script={script}"
        command = ["gcc", "-w", "-shared", "-fPIC", "-o", str(target), str(source), linker]
        subprocess.run(command, check=True)


def _readelf(what: str, library: Path) -> str:
    command = ["readelf", "-W", what, str(library)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _name(path: Path) -> str:
    return path.name


# What every system has, or what torch itself looks for when a GPU is used.
SYSTEM = (
    "ld-linux",
    "libc.so",
    "libcuda.so",
    "libdl",
    "libgcc_s",
    "libgomp",
    "libm.so",
    "libpthread",
    "librt",
    "libstdc++",
    "libutil",
)

UNVERSIONED = {"cusparseLt": "libcusparseLt", "nccl": "libnccl", "cuFile": "libcufile"}

UNDEFINED = re.compile(r"\s*\d+:\s+\S+\s+\d+\s+(\S+)\s+\S+\s+\S+\s+UND\s+(\w+)(?:@(\S+))?")

if __name__ == "__main__":
    sys.exit(main())
