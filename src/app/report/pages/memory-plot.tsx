import type { VNode } from 'preact';
import type { MemoryMap } from '../../../targets/index.js';
import { bytesText } from '../text.js';
import { colours, Plot, rounded } from './page.js';

const [width, height, left, bottom, top] = [1000, 460, 76, 34, 24];
const fills = ['#2f7f79', '#5b8db8', '#8a6fae', '#b98b3e', '#6b8e4e', '#a2607a', '#4f6d8f', '#7f7f52'];
/** Maximum number of operators with a number at the axis. */
const maxSteps = 24;

/** The arena over time: time goes to the right, offsets go up; the peak is marked. */
export function MemoryPlot({ buffers, moments, peak, headBytes }: MemoryMap): VNode {
  const x = (time: number): number => rounded(left + (time / moments.length) * (width - left - 8));
  const y = (offset: number): number =>
    rounded(height - bottom - (offset / Math.max(1, headBytes)) * (height - bottom - top));
  const at = peak.operator === null ? 0 : peak.operator + 1;
  const middle = (x(at) + x(at + 1)) / 2;
  const every = Math.max(1, Math.ceil(moments.length / maxSteps));
  return (
    <Plot title="The arena over time" width={width} height={height}>
      {buffers.map(({ label, offset, size, first, last, tensor }, b) => {
        const [w, h] = [rounded(x(last + 1) - x(first)), rounded(y(offset) - y(offset + size))];
        return (
          <>
            <rect
              x={x(first)}
              y={y(offset + size)}
              width={w}
              height={Math.max(0.5, h)}
              fill={tensor === null ? colours.grey : fills[b % fills.length]}
              fill-opacity="0.55"
              stroke={colours.text}
              stroke-width="0.4"
            >
              <title>{`${label}: ${bytesText(size)} at ${offset}`}</title>
            </rect>
            {w > 70 && h > 13 ? (
              <text x={x(first) + 4} y={y(offset) - 4}>
                {clipped(label, w / 7.6)}
              </text>
            ) : null}
          </>
        );
      })}
      <rect
        x={x(at)}
        y={top}
        width={rounded(x(at + 1) - x(at))}
        height={height - bottom - top}
        fill="none"
        stroke={colours.chosen}
        stroke-width="1.5"
      />
      <text x={rounded(Math.min(width - 180, Math.max(left, middle - 90)))} y={16}>
        {`peak: ${peak.op}, ${bytesText(peak.liveBytes)}`}
      </text>
      {[0, 0.25, 0.5, 0.75, 1].map((share) => {
        const offset = Math.round(share * headBytes);
        return (
          <text x={left - 6} y={y(offset) + 4} text-anchor="end">
            {offset}
          </text>
        );
      })}
      {moments.map(({ operator }, time) =>
        time % every === 0 ? (
          <text x={rounded((x(time) + x(time + 1)) / 2)} y={height - 16} text-anchor="middle">
            {operator ?? 'in'}
          </text>
        ) : null,
      )}
      <text x={width / 2} y={height - 2} text-anchor="middle">
        operator
      </text>
    </Plot>
  );
}

function clipped(label: string, characters: number): string {
  return label.length <= characters ? label : `${label.slice(0, Math.max(1, Math.floor(characters) - 1))}…`;
}
