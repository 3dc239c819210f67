import type { VNode } from 'preact';
import { colours, Plot, ReferenceLine, rounded } from './page.js';

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

interface ScatterPlotProps {
  readonly title: string;
  readonly points: readonly ScatterPoint[];
  /** A horizontal reference line. */
  readonly level: { readonly y: number; readonly label: string };
}

const [width, height, margin, maxRadius] = [1000, 420, 60, 16];
const [lineHeight, characterWidth] = [14, 7];

/** Shows the points that have both coordinates; the axes begin at the data. */
export function ScatterPlot({ title, points, level }: ScatterPlotProps): VNode {
  const placed = points.flatMap(({ x, y, ...rest }) => (x === null || y === null ? [] : [{ x, y, ...rest }]));
  if (placed.length === 0) return <p>Nothing has both figures.</p>;
  const [x0, x1] = extent(placed.map(({ x }) => x));
  const [y0, y1] = extent([...placed.map(({ y }) => y), level.y]);
  const px = (x: number): number => rounded(margin + ((x - x0) / (x1 - x0)) * (width - 2 * margin));
  const py = (y: number): number => rounded(height - margin - ((y - y0) / (y1 - y0)) * (height - 2 * margin));
  const largest = Math.max(...placed.map(({ size }) => size), 1);
  const front = placed.filter(({ joined }) => joined).toSorted((a, b) => a.x - b.x);
  return (
    <Plot title={title} width={width} height={height}>
      <ReferenceLine x1={margin} x2={width - margin} y1={py(level.y)} y2={py(level.y)} />
      <text x={margin} y={py(level.y) - 5}>
        {level.label}
      </text>
      {front.length < 2 ? null : (
        <polyline
          fill="none"
          stroke={colours.text}
          stroke-dasharray="4 3"
          points={front.map(({ x, y }) => `${px(x)},${py(y)}`).join(' ')}
        />
      )}
      {placed
        .toSorted((a, b) => Number(a.marked) - Number(b.marked))
        .map(({ x, y, size, marked, hollow }) => {
          const radius = rounded(Math.max(4, maxRadius * Math.sqrt(size / largest)));
          const colour = marked && !hollow ? colours.chosen : colours.plain;
          return (
            <circle
              cx={px(x)}
              cy={py(y)}
              r={radius}
              fill={hollow ? 'none' : colour}
              fill-opacity="0.8"
              stroke={colour}
            />
          );
        })}
      {apart(placed.map(({ label, x, y }) => ({ label, x: px(x), y: py(y) - maxRadius - 4 }))).map(
        ({ label, x, y }) => (
          <text x={x} y={y} text-anchor="middle">
            {label}
          </text>
        ),
      )}
      {[0, 0.5, 1].map((share) => {
        const [x, y] = [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
        return (
          <>
            <text x={px(x)} y={height - 20} text-anchor="middle">
              {x.toPrecision(3)}
            </text>
            <text x={8} y={py(y)}>
              {y.toPrecision(3)}
            </text>
          </>
        );
      })}
    </Plot>
  );
}

interface Label {
  readonly label: string;
  readonly x: number;
  readonly y: number;
}

/** Moves labels up until none covers another. */
function apart(labels: readonly Label[]): Label[] {
  const done: Label[] = [];
  for (const label of labels.toSorted((a, b) => b.y - a.y)) {
    let { y } = label;
    const covers = (other: Label): boolean =>
      Math.abs(other.y - y) < lineHeight &&
      Math.abs(other.x - label.x) < (characterWidth * (other.label.length + label.label.length)) / 2;
    while (done.some(covers)) y -= lineHeight;
    done.push({ ...label, y });
  }
  return done;
}

function extent(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = (high - low || Math.abs(high) || 1) * 0.12;
  return [low - pad, high + pad];
}
