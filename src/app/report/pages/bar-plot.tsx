import type { VNode } from 'preact';
import { colours, Plot, ReferenceLine, rounded } from './page.js';

interface BarPlotProps {
  readonly title: string;
  /** A label without a value has no bar. */
  readonly bars: readonly { readonly label: string; readonly value: number | null }[];
  readonly digits: number;
  /** A reference line. */
  readonly mark?: { readonly value: number; readonly label: string };
}

const [width, labelWidth, valueWidth, rowHeight, top] = [1000, 440, 60, 18, 20];

export function BarPlot({ title, bars, digits, mark }: BarPlotProps): VNode {
  const values = bars.flatMap(({ value }) => (value === null ? [] : [value]));
  const largest = Math.max(...values, mark?.value ?? 0, Number.MIN_VALUE);
  const smallest = Math.min(0, ...values);
  const at = (value: number): number =>
    rounded(labelWidth + ((value - smallest) / (largest - smallest)) * (width - labelWidth - valueWidth));
  const height = top + bars.length * rowHeight + 6;
  return (
    <Plot title={title} width={width} height={height}>
      {bars.map(({ label, value }, i) => {
        const y = top + i * rowHeight;
        return (
          <>
            <text x={labelWidth - 8} y={y + 13} text-anchor="end">
              {label}
            </text>
            {value === null ? null : <Bar from={at(0)} to={at(value)} y={y} text={value.toFixed(digits)} />}
          </>
        );
      })}
      {mark === undefined ? null : (
        <>
          <ReferenceLine x1={at(mark.value)} x2={at(mark.value)} y1={top - 4} y2={height} />
          <text x={at(mark.value)} y={12} text-anchor="middle">
            {mark.label}
          </text>
        </>
      )}
    </Plot>
  );
}

interface BarProps {
  readonly from: number;
  readonly to: number;
  readonly y: number;
  readonly text: string;
}

function Bar({ from, to, y, text }: BarProps): VNode {
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  return (
    <>
      <rect
        x={left}
        y={y + 2}
        width={rounded(Math.max(0.5, right - left))}
        height={rowHeight - 5}
        fill={colours.plain}
      />
      <text x={right + 6} y={y + 13}>
        {text}
      </text>
    </>
  );
}
