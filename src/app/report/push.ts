// Report of `push`.

import type { PushResult } from '../../devices/client/index.js';
import { bytesText, percentText, table } from './text.js';

export function pushReport(file: string, result: PushResult): string {
  const { image, selfTest } = result;
  const rows = [
    ['uploaded', `${uploadText(image)}; SHA-256 ${image.sha256.slice(0, 16)}... confirmed by the device`],
    ...rateRows(image),
    [
      'self-test',
      `${selfTest.vectors - selfTest.failed} of ${selfTest.vectors} vectors, largest difference ${selfTest.maxLsb}`,
    ],
    ...(result.arenaBytes === 0 ? [] : [['arena', bytesText(result.arenaBytes)]]),
    ['state', result.changed ? result.state : `${result.state} (it already ran this image)`],
  ];
  return `${file} on ${result.device} (${result.target})\n${table(rows)}`;
}

/** Report of a push to a device that only stores files. */
export function storedReport(file: string, path: string, device: string, image: PushResult['image']): string {
  const proof =
    image.verifiedBy === 'read-back' ? 'read back and compared' : `${image.verifiedBy} confirmed by the device`;
  const rows = [
    ['stored', `${uploadText(image)}; ${proof}`],
    ...rateRows(image),
    ['state', 'stored; the device does not support the commands that run a model'],
  ];
  return `${file} as ${path} on ${device}\n${table(rows)}`;
}

function rateRows({ durationMs, bytesPerSecond, bottleneck }: PushResult['image']): string[][] {
  if (bytesPerSecond === null || bottleneck === null) return [];
  return [
    [
      'took',
      `${(durationMs / 1000).toFixed(1)} s, ${bytesText(Math.round(bytesPerSecond))}/s; most of it ` +
        `${bottleneckTexts[bottleneck]}`,
    ],
  ];
}

const bottleneckTexts = {
  line: 'on the line: a higher baud rate would help',
  'round trips': 'waiting for responses: larger packets (a larger buffer on the device) or --window would help',
  device: 'in the device: erasing and writing flash',
} as const;

/** Bytes to send, and bytes that were sent. */
export function uploadText({ bytes, resumedAt, sentBytes, compression }: PushResult['image']): string {
  const there = resumedAt > 0 ? `, ${bytesText(resumedAt)} of them already on the device` : '';
  const saved =
    compression === null
      ? ''
      : `, sent as ${bytesText(sentBytes)} (deflate saves ${percentText(1 - sentBytes / (bytes - resumedAt), 0)})`;
  return `${bytesText(bytes)}${there}${saved}`;
}
