"""The benchmarks' chart: some rows beside their peers, and how far each goal is reached or missed.

It gets the rows of target/bench/report.json and makes SVG of them. It must not know how anything
was measured.
"""

import math
from html import escape

WIDTH, LINE, LABELS, BARS = 900, 20, 300, 440
OWN, PEER, MISSED, TEXT, GRID = "#2f6fb0", "#9aa5b1", "#c4482f", "#333", "#ccc"

# A title, and the rows with the names that people know them by.
PANELS = [
    (
        "Calls per second: 100 bytes of JSON, 64 in flight, one worker",
        {
            "echo_100b_64": "this, inline handler",
            "echo_100b_64_thread": "this, handler on a thread",
            "peer_grpcio_aio_echo_100b_64": "grpcio aio",
            "peer_grpcio_sync_echo_100b_64": "grpcio sync",
            "peer_process_pool_echo_100b_64": "ProcessPoolExecutor",
            "peer_ray_echo_100b_64": "Ray actor",
        },
    ),
    (
        "One call of 100 bytes at a time, µs (p50)",
        {
            "peer_ping_pong_p50": "bare socket ping-pong",
            "echo_100b_1_p50_spin": "this, with spin_us 100",
            "echo_100b_1_p50": "this, inline handler",
            "echo_100b_1_p50_thread": "this, handler on a thread",
            "peer_grpcio_aio_echo_100b_1_p50": "grpcio aio",
            "peer_grpcio_sync_echo_100b_1_p50": "grpcio sync",
            "peer_process_pool_echo_100b_1_p50": "ProcessPoolExecutor",
            "peer_ray_echo_100b_1_p50": "Ray actor",
        },
    ),
    (
        "64 MiB between host and numpy, µs",
        {
            "memcpy_64mib": "memcpy",
            "tensor_64mib_in": "this, host to numpy",
            "tensor_64mib_out": "this, numpy to host",
            "tensor_cached": "this, shared already",
        },
    ),
]


class Canvas:
    """Lines of SVG from the top down."""

    def __init__(self):
        self.y, self.parts = 10, []

    def title(self, text: str) -> None:
        self.y += 2 * LINE
        self.text(10, text, weight="bold")
        self.y += LINE // 2

    def text(self, x: float, text: str, anchor="start", weight="normal") -> None:
        style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{TEXT}"'
        self.parts.append(f'<text x="{x:.0f}" y="{self.y}" {style}>{escape(text)}</text>')

    def bar(self, label: str, share: tuple[float, float], color: str, figure: str) -> None:
        """From one share of the width to another."""
        self.y += LINE
        self.text(LABELS - 10, label, anchor="end")
        left, right = (LABELS + BARS * part for part in sorted(share))
        size = f'width="{max(right - left, 1):.1f}" height="{LINE - 6}"'
        place = f'x="{left:.1f}" y="{self.y - 12}"'
        self.parts.append(f'<rect {place} {size} fill="{color}"/>')
        self.text(max(right, LABELS + BARS / 2 if share[0] == 0.5 else 0) + 8, figure)

    def document(self) -> str:
        height = self.y + LINE
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        head += f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">'
        ground = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
        return "\n".join([head, ground, *self.parts, "</svg>"]) + "\n"


def chart(rows: list[dict]) -> str:
    """The whole picture."""
    canvas = Canvas()
    values = {row["id"]: row["value"] for row in rows}
    for title, names in PANELS:
        panel(canvas, title, {name: values[key] for key, name in names.items() if key in values})
    goals(canvas, [row for row in rows if row["goal"]])
    return canvas.document()


def panel(canvas: Canvas, title: str, values: dict[str, float]) -> None:
    if not values:
        return
    canvas.title(title)
    for name, value in values.items():
        color = OWN if name.startswith("this") else PEER
        figure = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
        canvas.bar(name, (0, value / max(values.values())), color, figure)


def goals(canvas: Canvas, rows: list[dict]) -> None:
    """Bars to the right are better than promised, by a logarithmic scale from a tenth to ten."""
    if not rows:
        return
    canvas.title("Goals: times better than promised")
    top = canvas.y + 4
    for row in rows:
        times = better(row)
        end = 0.5 + max(-1, min(1, math.log10(times))) / 2
        peer = (row["peer"] or "").removeprefix("peer_").removesuffix("_" + row["id"])
        label = f"{row['id']} / {peer}" if peer and len(row["id"] + peer) < 34 else row["id"]
        canvas.bar(label, (0.5, end), OWN if row["pass"] else MISSED, f"{times:.2f} ×")
    middle = LABELS + BARS / 2
    line = f'x1="{middle}" x2="{middle}" y1="{top}" y2="{canvas.y + 4}" stroke="{GRID}"'
    canvas.parts.append(f"<line {line}/>")


def better(row: dict) -> float:
    """How many times the goal is reached; below one it is missed."""
    sign, goal = row["goal"].split()
    figure = row["value"] if row["ratio"] is None else row["ratio"]
    times = float(goal) / max(figure, 1e-9)
    return times if sign == "<=" else 1 / times
