// A self-contained page: no script, no file beside it. Preact escapes every text.

import type { ComponentChildren, VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b2733; background: #fff; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
td, th { padding: 2px 8px; border-bottom: 1px solid #dde3ea; text-align: left; }
td:not(:last-child) { white-space: nowrap; }
svg { width: 100%; height: auto; }
code { font-size: 13px; } .wide { overflow-x: auto; }
`;

export const colours = {
  plain: '#2f7f79',
  chosen: '#c8553d',
  text: '#1b2733',
  grid: '#dde3ea',
  grey: '#9aa5b1',
} as const;

export function pageText(title: string, body: ComponentChildren): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{title}</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <h1>{title}</h1>
        {body}
      </body>
    </html>
  );
  return `<!doctype html>\n${renderToString(page)}\n`;
}

export function List({ texts }: { readonly texts: readonly string[] }): VNode {
  return (
    <ul>
      {texts.map((text) => (
        <li>{text}</li>
      ))}
    </ul>
  );
}

interface TableProps {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export function Table({ header, rows }: TableProps): VNode {
  return (
    <div class="wide">
      <table>
        <tr>
          {header.map((cell) => (
            <th>{cell}</th>
          ))}
        </tr>
        {rows.map((row) => (
          <tr>
            {row.map((cell) => (
              <td>{cell}</td>
            ))}
          </tr>
        ))}
      </table>
    </div>
  );
}

interface PlotProps {
  /** Read aloud, and shown under the pointer. */
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly children: ComponentChildren;
}

/** The frame of a plot; also a file of its own. */
export function Plot({ title, width, height, children }: PlotProps): VNode {
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      font-family="system-ui, sans-serif"
      font-size="12"
      fill={colours.text}
    >
      <title>{title}</title>
      {children}
    </svg>
  );
}

/** A line across a plot, for a value to compare with. */
export function ReferenceLine(ends: Readonly<Record<'x1' | 'x2' | 'y1' | 'y2', number>>): VNode {
  return <line {...ends} stroke={colours.text} stroke-dasharray="4 3" />;
}

/** Coordinates need no more digits. */
export function rounded(coordinate: number): number {
  return Math.round(coordinate * 10) / 10;
}
