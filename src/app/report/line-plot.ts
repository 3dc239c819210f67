// A line plot as SVG.

import { escapeHtml } from './html.js';

export interface PlotLine {
  readonly label: string;
  readonly look: 'bar' | 'chosen';
  /** From left to right. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const [width, height, left, right, top, bottom] = [1000, 320, 80, 20, 34, 34];
/** Maximum number of points drawn per line: more are indistinguishable. */
const maxPoints = 1000;
const colours = { bar: '#2f7f79', chosen: '#c8553d' } as const;

/** @param text formats the values at the axes */
export function linePlot(
  lines: readonly PlotLine[],
  text: { readonly x: (value: number) => string; readonly y: (value: number) => string },
): string {
  const drawn = lines
    .filter(({ points }) => points.length > 0)
    .map((line) => ({ ...line, points: thinned(line.points) }));
  if (drawn.length === 0) return '<p>There are no measurements.</p>';
  const all = drawn.flatMap(({ points }) => points);
  const extent = (values: readonly number[]): readonly [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return high > low ? [low, high] : [low, low + (Math.abs(low) || 1)];
  };
  const [x0, x1] = extent([0, ...all.map(([x]) => x)]);
  const [y0, y1] = extent([0, ...all.map(([, y]) => y)]);
  const px = (x: number): string => (left + ((x - x0) / (x1 - x0)) * (width - left - right)).toFixed(1);
  const py = (y: number): string => (height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom)).toFixed(1);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const [x, y] = [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
    const grid = `<line x1="${left}" x2="${width - right}" y1="${py(y)}" y2="${py(y)}" stroke="#dde3ea"/>`;
    return (
      `${grid}<text x="${px(x)}" y="${height - 10}" ` +
      `text-anchor="${share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}">${escapeHtml(text.x(x))}</text><text ` +
      `x="${left - 8}" y="${Number(py(y)) + 4}" text-anchor="end">${escapeHtml(text.y(y))}</text>`
    );
  });
  const paths = drawn.map(({ points, look }) => {
    const way = points.map(([x, y]) => `${px(x)},${py(y)}`).join(' ');
    return `<polyline fill="none" stroke="${colours[look]}" stroke-width="2" points="${way}"/>`;
  });
  const legend = drawn.map(({ label, look }, i) => {
    const x = left + 260 * i;
    return (
      `<rect x="${x}" y="10" width="12" height="12" fill="${colours[look]}"/><text x="${x + 18}" ` +
      `y="20">${escapeHtml(label)}</text>`
    );
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img">${ticks.join('')}${paths.join('')}${legend.join('')}</svg>`;
}

function thinned(points: PlotLine['points']): PlotLine['points'] {
  const step = Math.ceil(points.length / maxPoints);
  return step === 1 ? points : points.filter((_, i) => i % step === 0 || i === points.length - 1);
}
