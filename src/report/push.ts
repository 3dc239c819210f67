// What a push did, for people.

import type { PushResult } from '../device/index.js';
import { bytesText, percentText, table } from './text.js';

export function pushReport(file: string, result: PushResult): string {
  const { image, selfTest } = result;
  const rows = [
    ['uploaded', `${uploadText(image)}; SHA-256 ${image.sha256.slice(0, 16)}... confirmed by the device`],
    ['self-test', `${selfTest.vectors - selfTest.failed} of ${selfTest.vectors} vectors, largest difference ${selfTest.maxLsb}`],
    ['arena', bytesText(result.arenaBytes)],
    ['state', result.changed ? result.state : `${result.state} (it ran this image already)`],
  ];
  return `${file} on ${result.device} (${result.target})\n${table(rows)}`;
}

/** How many bytes were there to send, and as how many they went. */
export function uploadText({ bytes, resumedAt, sentBytes, compression }: PushResult['image']): string {
  const there = resumedAt > 0 ? `, ${bytesText(resumedAt)} of them there already` : '';
  const saved = compression === null ? '' : `, sent as ${bytesText(sentBytes)} (deflate saves ${percentText(1 - sentBytes / (bytes - resumedAt), 0)})`;
  return `${bytesText(bytes)}${there}${saved}`;
}
