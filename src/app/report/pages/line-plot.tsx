import type { VNode } from 'preact';
import { colours, Plot, rounded } from './page.js';

export interface PlotLine {
  readonly label: string;
  readonly colour: 'plain' | 'chosen';
  /** From left to right. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

interface LinePlotProps {
  readonly title: string;
  readonly lines: readonly PlotLine[];
  /** Format the values at the axes. */
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
}

const [width, height, left, right, top, bottom] = [1000, 320, 80, 20, 34, 34];
/** Maximum number of points drawn per line: more are indistinguishable. */
const maxPoints = 1000;
const tickShares = [0, 0.25, 0.5, 0.75, 1];

export function LinePlot({ title, lines, xText, yText }: LinePlotProps): VNode {
  const drawn = lines
    .filter(({ points }) => points.length > 0)
    .map((line) => ({ ...line, points: thinned(line.points) }));
  if (drawn.length === 0) return <p>There are no measurements.</p>;
  const all = drawn.flatMap(({ points }) => points);
  const [x0, x1] = extent([0, ...all.map(([x]) => x)]);
  const [y0, y1] = extent([0, ...all.map(([, y]) => y)]);
  const px = (x: number): number => rounded(left + ((x - x0) / (x1 - x0)) * (width - left - right));
  const py = (y: number): number => rounded(height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom));
  return (
    <Plot title={title} width={width} height={height}>
      {tickShares.map((share) => {
        const [x, y] = [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
        return (
          <>
            <line x1={left} x2={width - right} y1={py(y)} y2={py(y)} stroke={colours.grid} />
            <text x={px(x)} y={height - 10} text-anchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}>
              {xText(x)}
            </text>
            <text x={left - 8} y={py(y) + 4} text-anchor="end">
              {yText(y)}
            </text>
          </>
        );
      })}
      {drawn.map(({ points, colour }) => (
        <polyline
          fill="none"
          stroke={colours[colour]}
          stroke-width="2"
          points={points.map(([x, y]) => `${px(x)},${py(y)}`).join(' ')}
        />
      ))}
      {drawn.map(({ label, colour }, i) => (
        <>
          <rect x={left + 260 * i} y={10} width={12} height={12} fill={colours[colour]} />
          <text x={left + 260 * i + 18} y={20}>
            {label}
          </text>
        </>
      ))}
    </Plot>
  );
}

function extent(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high > low ? [low, high] : [low, low + (Math.abs(low) || 1)];
}

function thinned(points: PlotLine['points']): PlotLine['points'] {
  const step = Math.ceil(points.length / maxPoints);
  return step === 1 ? points : points.filter((_, i) => i % step === 0 || i === points.length - 1);
}
