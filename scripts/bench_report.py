"""Shows what the benchmarks found: target/bench/report.json as a table for people, and the same
table and a chart in docs/.

Usage: bench_report.py [REPORT]

What a row means stands in docs/performance.md; nothing here knows it.
"""

import json
import sys
from pathlib import Path

import bench_chart

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "target" / "bench" / "report.json"
DOCUMENT = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "bench.svg"
BEGIN, END = "<!-- rows: written by make bench -->\n", "<!-- end of rows -->\n"
COLUMNS = ("row", "median", "ratio", "goal", "", "note")


def main(path: Path) -> int:
    """Prints the table, writes the document's and the chart, and gives the exit status."""
    report = json.loads(path.read_text())
    rows = sorted(report["rows"], key=lambda row: row["goal"] is None)
    print_table(rows)
    CHART.write_text(bench_chart.chart(rows))
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    table = "\n" + machine(report["machine"]) + "\n" + markdown(rows) + "\n"
    DOCUMENT.write_text(before + BEGIN + table + END + after)
    return 0


def cells(row: dict) -> tuple[str, ...]:
    """What a table shows of a row, its note aside."""
    ratio = "" if row["ratio"] is None else f"{digits(row['ratio'])} × {row['peer']}"
    goal = (row["goal"] or "").replace("<=", "≤").replace(">=", "≥")
    return (row["id"], f"{digits(row['value'])} {row['unit']}", ratio, goal, verdict(row))


def verdict(row: dict) -> str:
    return {True: "reached", False: "missed", None: ""}[row["pass"]]


def digits(figure: float) -> str:
    """As many as a person wants to read."""
    size = abs(figure)
    places = 3 if size < 1 else 2 if size < 10 else 1 if size < 1_000 else 0
    return f"{figure:,.{places}f}"


def print_table(rows: list[dict]) -> None:
    table = [COLUMNS[:-1], *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    goals = [row for row in rows if row["goal"]]
    missed = [row for row in goals if not row["pass"]]
    print(f"\n{len(goals)} goals: {len(goals) - len(missed)} reached, {len(missed)} missed")
    for row in missed:
        print("  missed: " + "  ".join(cell for cell in cells(row)[:-1] if cell))


def machine(about: dict) -> str:
    memory_gib = int(about["memory"].split()[0]) / (1 << 20)
    system = " ".join(about["system"].split()[:3])
    return f"{about['cores']} cores of {about['cpu']}, {memory_gib:.0f} GiB, {system}.\n"


def markdown(rows: list[dict]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    for row in rows:
        name, *others = cells(row)
        others[-1] = others[-1].replace("missed", "**missed**")
        lines.append((f"`{name}`", *others, row["note"]))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPORT))
