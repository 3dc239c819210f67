// The arena over time, as a picture and as a page.

import { basename } from 'node:path';
import { renderToString } from 'preact-render-to-string';
import type { MemoryMap } from '../../../targets/index.js';
import { arenaText, placeOf } from '../memory.js';
import { bytesText } from '../text.js';
import { MemoryPlot } from './memory-plot.js';
import { pageText, Table } from './page.js';

/** An SVG file. */
export function memoryPlot(map: MemoryMap): string {
  return renderToString(<MemoryPlot {...map} />);
}

export function memoryPage(file: string, target: string, map: MemoryMap): string {
  return pageText(
    `Arena of ${basename(file)} on ${target}`,
    <>
      <p>{arenaText(map)}</p>
      <MemoryPlot {...map} />
      <h2>Alive at the peak, {placeOf(map)}</h2>
      <Table
        header={['tensor', 'bytes', 'offset']}
        rows={map.peak.buffers.map(({ label, size, offset }) => [label, bytesText(size), offset])}
      />
    </>,
  );
}
