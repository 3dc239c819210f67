// Report of the arena over time: a bar for each operator as text, every tensor as a box in SVG.

import { basename } from 'node:path';
import type { MemoryPlan } from '../../optimize/passes/index.js';
import type { MemoryMap } from '../../targets/index.js';
import { budgetBar } from './bar.js';
import { escapeHtml, pageOf } from './html.js';
import { bytesText, table } from './text.js';

export function memoryReport(map: MemoryMap): string {
  const { peak, moments, headBytes } = map;
  const rows = moments.map((moment) => {
    const { operator, op, liveBytes } = moment;
    return [
      operator ?? '',
      op,
      bytesText(liveBytes),
      budgetBar(liveBytes, headBytes, 40),
      operator === peak.operator ? '<- peak' : '',
    ];
  });
  const largest = peak.buffers.map(({ label, size, offset }) => ['', bytesText(size), `at ${offset}`, label]);
  return [
    summaryOf(map),
    table(rows, ['', 'operator', 'alive', `of ${bytesText(headBytes)} planned`, '']),
    `At the peak, ${placeOf(map)}:`,
    table(largest),
  ].join('\n');
}

function summaryOf({ headBytes, tailBytes, arenaBytes, minimumArenaBytes }: MemoryMap): string {
  const moment = minimumArenaBytes > arenaBytes ? `; allocation temporarily needs ${bytesText(minimumArenaBytes)}` : '';
  return `arena ${bytesText(arenaBytes)}: planned ${bytesText(headBytes)}, persistent ${bytesText(tailBytes)}${moment}`;
}

/** What a plan saves, and how far it is from the lower bound. */
export function memoryPlanText({
  headBytesBefore,
  headBytes,
  lowerBoundBytes,
  provenOrder,
  movedOperators,
  stored,
}: MemoryPlan): string {
  const saved = `planned arena ${bytesText(headBytesBefore)} -> ${bytesText(headBytes)}`;
  const bound =
    headBytes === lowerBoundBytes && provenOrder
      ? 'the minimum'
      : `at least ${bytesText(lowerBoundBytes)} in this order`;
  const how =
    [movedOperators === 0 ? [] : [`${movedOperators} operators moved`], stored ? ['offsets stored'] : []]
      .flat()
      .join(', ') || 'nothing to store';
  return `${saved}, ${bound} (${how})`;
}

export function placeOf({ peak }: MemoryMap): string {
  return peak.operator === null ? 'before the first operator' : `at operator ${peak.operator} ${peak.op}`;
}

const [width, height, left, bottom, top] = [1000, 460, 76, 34, 24];
const colours = ['#2f7f79', '#5b8db8', '#8a6fae', '#b98b3e', '#6b8e4e', '#a2607a', '#4f6d8f', '#7f7f52'];

/** Time goes to the right, offsets go up; the peak is marked. */
export function memoryPlot({ buffers, moments, peak, headBytes }: MemoryMap): string {
  const x = (time: number): number => left + (time / moments.length) * (width - left - 8);
  const y = (offset: number): number => height - bottom - (offset / Math.max(1, headBytes)) * (height - bottom - top);
  const boxes = buffers.map(({ label, offset, size, first, last, tensor }, b) => {
    const [w, h] = [x(last + 1) - x(first), y(offset) - y(offset + size)];
    const fill = tensor === null ? '#9aa5b1' : colours[b % colours.length];
    const room =
      w > 70 && h > 13
        ? `<text x="${(x(first) + 4).toFixed(1)}" ` +
          `y="${(y(offset) - 4).toFixed(1)}">${escapeHtml(clipped(label, w / 7.6))}</text>`
        : '';
    const box =
      `<rect x="${x(first).toFixed(1)}" y="${y(offset + size).toFixed(1)}" width="${w.toFixed(1)}" ` +
      `height="${Math.max(0.5, h).toFixed(1)}" fill="${fill}" fill-opacity="0.55" stroke="#1b2733" ` +
      `stroke-width="0.4"><title>${escapeHtml(`${label}: ${bytesText(size)} at ${offset}`)}</title></rect>`;
    return box + room;
  });
  const at = peak.operator === null ? 0 : peak.operator + 1;
  const middle = (x(at) + x(at + 1)) / 2;
  const mark =
    `<rect x="${x(at).toFixed(1)}" y="${top}" width="${(x(at + 1) - x(at)).toFixed(1)}" ` +
    `height="${height - bottom - top}" fill="none" stroke="#c8553d" stroke-width="1.5"/>`;
  const name =
    `<text x="${Math.min(width - 180, Math.max(left, middle - 90)).toFixed(1)}" y="16">peak: ` +
    `${escapeHtml(peak.op)}, ${bytesText(peak.liveBytes)}</text>`;
  const levels = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const offset = Math.round(share * headBytes);
    return `<text x="${left - 6}" y="${(y(offset) + 4).toFixed(1)}" text-anchor="end">${offset}</text>`;
  });
  const every = Math.max(1, Math.ceil(moments.length / 24));
  const steps = moments.flatMap(({ operator }, time) =>
    time % every === 0
      ? [
          `<text x="${((x(time) + x(time + 1)) / 2).toFixed(1)}" y="${height - 16}" ` +
            `text-anchor="middle">${operator ?? 'in'}</text>`,
        ]
      : [],
  );
  const axis = `<text x="${width / 2}" y="${height - 2}" text-anchor="middle">operator</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, ` +
    'sans-serif" font-size="12" ' +
    `fill="#1b2733">${boxes.join('')}${mark}${name}${levels.join('')}${steps.join('')}${axis}</svg>`
  );
}

function clipped(label: string, characters: number): string {
  return label.length <= characters ? label : `${label.slice(0, Math.max(1, Math.floor(characters) - 1))}…`;
}

export function memoryPage(file: string, target: string, map: MemoryMap): string {
  const rows = map.peak.buffers.map(
    ({ label, size, offset }) => `<tr><td>${escapeHtml(label)}</td><td>${bytesText(size)}</td><td>${offset}</td></tr>`,
  );
  return pageOf(`Arena of ${basename(file)} on ${target}`, [
    `<p>${escapeHtml(summaryOf(map))}</p>`,
    memoryPlot(map),
    `<h2>Alive at the peak, ${escapeHtml(placeOf(map))}</h2>`,
    `<table><tr><th>tensor</th><th>bytes</th><th>offset</th></tr>${rows.join('')}</table>`,
  ]);
}
