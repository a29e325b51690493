# SPDX-License-Identifier: MIT
"""Bars in SVG: CPU a request of relay and client, of every contender of a case, http beside https."""
import html

COLORS = {'relay': '#2f6f9f', 'client': '#b9cfe0'}
WIDTH, LEFT, BAR, GAP, TOP = 760, 150, 16, 6, 64


def label(x, y, text, anchor='start', size=12, weight='normal'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="#222">{html.escape(text)}</text>')


def bars(cell, y, scale):
    parts = [label(8, y - 8, f'{cell["case"]} {cell["scheme"]}', weight='bold')]
    for name, row in cell['contenders'].items():
        x = LEFT
        parts.append(label(LEFT - 8, y + BAR - 4, name, 'end'))
        for what in ('relay', 'client'):
            width = row[what] * scale
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLORS[what]}"/>')
            x += width
        parts.append(label(x + 6, y + BAR - 4, f'{row["relay"]:.1f} + {row["client"]:.1f}', size=11))
        y += BAR + GAP
    return parts, y


def draw(case, cells):
    """The SVG of a case's cells."""
    most = max(row['relay'] + row['client'] for cell in cells for row in cell['contenders'].values())
    scale = (WIDTH - LEFT - 110) / most
    parts, y = [], TOP + 20
    for cell in cells:
        more, y = bars(cell, y, scale)
        parts += more
        y += 30
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>', label(8, 22, cells[0]['text'], size=15, weight='bold'),
            label(8, 42, f'{case}: CPU µs a request, relay (dark) + client (light); medians; pinned to one CPU', size=11)]
    return '\n'.join(head + parts + ['</svg>', ''])
