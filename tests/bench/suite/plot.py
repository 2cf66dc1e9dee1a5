# SPDX-License-Identifier: Apache-2.0
"""A line chart over sizes as SVG."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 50, 50, 60
COLOURS = ["#1a7f5a", "#2f5fb3", "#b3592f"]


def _nice(value):
    """The next round number for a scale's end."""
    magnitude = 10 ** math.floor(math.log10(value))
    return next(
        step * magnitude
        for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if step * magnitude >= value
    )


def _size(value):
    for unit, name in ((1_000_000, " million"), (1_000, ",000")):
        if value >= unit and value % unit == 0:
            return f"{value // unit:,}{name}"
    return str(value)


def lines(title, y_title, series):
    """`series`: {name: {size: (low, median, high)}}. The sizes go on a logarithmic axis, the values
    on one from zero."""
    sizes = sorted({size for points in series.values() for size in points})
    top = _nice(max(high for points in series.values() for _, _, high in points.values()) * 1.05)
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size):
        return LEFT + (WIDTH - LEFT - RIGHT) * ((math.log10(size) - low) / ((high - low) or 1))

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="13" role="img">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" fill="#222222">{escape(title)}</text>',
    ]
    for i in range(6):
        value = top * i / 5
        out.append(
            f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" '
            'stroke="#dddddd"/>'
        )
        out.append(
            f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" '
            f'fill="#555555">{value:,.6g}</text>'
        )
    for size in sizes:
        out.append(
            f'<line x1="{x(size):.1f}" y1="{HEIGHT - BOTTOM}" x2="{x(size):.1f}" '
            f'y2="{HEIGHT - BOTTOM + 5}" stroke="#555555"/>'
        )
        out.append(
            f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" '
            f'fill="#555555">{_size(size)}</text>'
        )
    out.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle" '
        'fill="#222222">messages in the store</text>'
    )
    out.append(
        f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle" fill="#222222">{escape(y_title)}</text>'
    )
    for i, (name, points) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x(size):.1f},{y(points[size][1]):.1f}" for size in sorted(points))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for size, (least, middle, most) in sorted(points.items()):
            out.append(
                f'<line x1="{x(size):.1f}" y1="{y(least):.1f}" x2="{x(size):.1f}" '
                f'y2="{y(most):.1f}" stroke="{colour}"/>'
            )
            out.append(
                f'<circle cx="{x(size):.1f}" cy="{y(middle):.1f}" r="4" '
                f'fill="{colour}"><title>{escape(name)}, {size:,}: {middle:,.0f}</title></circle>'
            )
        legend = LEFT + i * 260
        out.append(
            f'<circle cx="{legend + 6}" cy="38" r="4" fill="{colour}"/><text x="{legend + 16}" '
            f'y="42" fill="#222222">{escape(name)}</text>'
        )
    return "\n".join(out) + "\n</svg>\n"
