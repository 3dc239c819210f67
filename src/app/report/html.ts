// Self-contained pages with SVG plots.

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b2733; background: #fff; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
td, th { padding: 2px 8px; border-bottom: 1px solid #dde3ea; text-align: left; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #1b2733; }
.bar { fill: #2f7f79; } .chosen { fill: #c8553d; } .mark { stroke: #1b2733; stroke-dasharray: 4 3; }
code { font-size: 13px; } .wide { overflow-x: auto; }
`;

export function pageOf(title: string, body: readonly string[]): string {
  const name = escapeHtml(title);
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${name}</title><style>${style}</style></head>`,
    `<body><h1>${name}</h1>`,
    ...body,
    '</body></html>\n',
  ].join('\n');
}

export interface BarPlotOptions {
  readonly digits: number;
  /** A reference line. */
  readonly mark?: { readonly value: number; readonly label: string };
}

const [width, labelWidth, valueWidth, rowHeight, top] = [1000, 380, 60, 18, 20];

/** A bar chart; labels without a value have no bar. */
export function barPlot(
  points: readonly { readonly label: string; readonly value: number | null }[],
  { digits, mark }: BarPlotOptions,
): string {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const largest = Math.max(...values, mark?.value ?? 0, Number.MIN_VALUE);
  const smallest = Math.min(0, ...values);
  const at = (value: number): number =>
    labelWidth + ((value - smallest) / (largest - smallest)) * (width - labelWidth - valueWidth);
  const rows = points.map(({ label, value }, i) => {
    const y = top + i * rowHeight;
    const text = `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escapeHtml(label)}</text>`;
    if (value === null) return text;
    const [from, to] = [Math.min(at(0), at(value)), Math.max(at(0), at(value))];
    return (
      `${text}<rect class="bar" x="${from.toFixed(1)}" y="${y + 2}" ` +
      `width="${Math.max(0.5, to - from).toFixed(1)}" height="${rowHeight - 5}"/><text ` +
      `x="${(to + 6).toFixed(1)}" y="${y + 13}">${value.toFixed(digits)}</text>`
    );
  });
  const height = top + points.length * rowHeight + 6;
  const line =
    mark === undefined
      ? ''
      : `<line class="mark" x1="${at(mark.value).toFixed(1)}" x2="${at(mark.value).toFixed(1)}" y1="${top - 4}" ` +
        `y2="${height}"/><text x="${at(mark.value).toFixed(1)}" y="12" ` +
        `text-anchor="middle">${escapeHtml(mark.label)}</text>`;
  return `<svg viewBox="0 0 ${width} ${height}" role="img">${rows.join('')}${line}</svg>`;
}

export interface ScatterPoint {
  readonly label: string;
  readonly x: number | null;
  readonly y: number | null;
  /** The quantity that the circle's area represents. */
  readonly size: number;
  readonly marked: boolean;
  readonly hollow: boolean;
  /** Whether the point is part of the line from left to right. */
  readonly joined: boolean;
}

export interface ScatterOptions {
  /** A horizontal reference line. */
  readonly line?: { readonly y: number; readonly label: string };
}

const [plotHeight, margin, maxRadius] = [420, 60, 16];

/** Plots points that have both coordinates; the axes begin at the data. */
export function scatterPlot(points: readonly ScatterPoint[], { line }: ScatterOptions): string {
  const placed = points.flatMap(({ x, y, ...rest }) => (x === null || y === null ? [] : [{ x, y, ...rest }]));
  if (placed.length === 0) return '<p>Nothing has both figures.</p>';
  const extent = (values: readonly number[]): readonly [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = (high - low || Math.abs(high) || 1) * 0.12;
    return [low - pad, high + pad];
  };
  const [left, right] = extent(placed.map(({ x }) => x));
  const [bottom, height] = extent([...placed.map(({ y }) => y), ...(line === undefined ? [] : [line.y])]);
  const px = (x: number): string => (margin + ((x - left) / (right - left)) * (width - 2 * margin)).toFixed(1);
  const py = (y: number): string =>
    (plotHeight - margin - ((y - bottom) / (height - bottom)) * (plotHeight - 2 * margin)).toFixed(1);
  const largest = Math.max(...placed.map(({ size }) => size), 1);
  const circles = placed.map(({ label, x, y, size, marked, hollow }) => {
    const radius = Math.max(4, maxRadius * Math.sqrt(size / largest)).toFixed(1);
    const look = hollow ? 'fill="none" stroke="#2f7f79"' : `class="${marked ? 'chosen' : 'bar'}"`;
    return (
      `<circle cx="${px(x)}" cy="${py(y)}" r="${radius}" ${look}/><text x="${px(x)}" ` +
      `y="${(Number(py(y)) - maxRadius - 4).toFixed(1)}" text-anchor="middle">${escapeHtml(label)}</text>`
    );
  });
  const front = placed.filter(({ joined }) => joined).toSorted((a, b) => a.x - b.x);
  const path =
    front.length < 2
      ? ''
      : `<polyline class="mark" fill="none" points="${front.map(({ x, y }) => `${px(x)},${py(y)}`).join(' ')}"/>`;
  const level =
    line === undefined
      ? ''
      : `<line class="mark" x1="${margin}" x2="${width - margin}" y1="${py(line.y)}" y2="${py(line.y)}"/><text ` +
        `x="${margin}" y="${(Number(py(line.y)) - 5).toFixed(1)}">${escapeHtml(line.label)}</text>`;
  const ticks = [0, 0.5, 1].map((share) => {
    const [x, y] = [left + share * (right - left), bottom + share * (height - bottom)];
    return (
      `<text x="${px(x)}" y="${plotHeight - 20}" text-anchor="middle">${x.toPrecision(3)}</text><text x="8" ` +
      `y="${py(y)}">${y.toPrecision(3)}</text>`
    );
  });
  return (
    `<svg viewBox="0 0 ${width} ${plotHeight}" ` +
    `role="img">${level}${path}${circles.join('')}${ticks.join('')}</svg>`
  );
}
