"""Compares the traces that the bindings' test suites have left, byte for byte.

Usage: compare_traces.py FOLDER HOST...

The folder holds one file for each scenario and host, SCENARIO.HOST.jsonl. Every scenario has to
have been played by every host named, and by every other host that has played any, with the same
trace. Knows nothing of what a trace means.
"""

import sys
from pathlib import Path

SCENARIOS = Path(__file__).parent.parent / "tests" / "conformance"


def main(folder: Path, hosts: list[str]) -> int:
    """Prints each difference; gives the exit status."""
    scenarios = sorted(path.stem for path in SCENARIOS.glob("*.json"))
    hosts = sorted({*hosts, *(path.stem.split(".")[-1] for path in folder.glob("*.jsonl"))})
    findings = [finding for name in scenarios for finding in differences(folder, name, hosts)]
    for finding in findings:
        print(finding)
    lines = sum(len(read(folder / f"{name}.{hosts[0]}.jsonl")) for name in scenarios)
    print(f"traces: {len(scenarios)} scenarios, {lines} lines, {' '.join(hosts)}: ", end="")
    print(f"{len(findings)} differences" if findings else "the same in each")
    return 1 if findings or not scenarios else 0


def differences(folder: Path, scenario: str, hosts: list[str]) -> list[str]:
    """What is not alike in the traces of one scenario."""
    traces = {host: read(folder / f"{scenario}.{host}.jsonl") for host in hosts}
    findings = [f"{scenario}: {host} has not played it" for host in hosts if not traces[host]]
    if findings:
        return findings
    first, others = hosts[0], hosts[1:]
    for host in others:
        for number, (ours, theirs) in enumerate(zip(traces[first], traces[host], strict=False), 1):
            if ours != theirs:
                findings.append(f"{scenario}:{number}: {first}: {ours}")
                findings.append(f"{scenario}:{number}: {host}: {theirs}")
                break
        else:
            if len(traces[first]) != len(traces[host]):
                counts = f"{len(traces[first])} and {len(traces[host])}"
                findings.append(f"{scenario}: {first} and {host} have {counts} lines")
    return findings


def read(path: Path) -> list[str]:
    """The lines of a trace; none if there is no such file."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
