// Text of devices on its way to terminals, pages and logs of others.

/** Control characters, and those that reorder or hide text: C0, C1, zero-width, bidirectional, byte order mark, line and paragraph separators. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
const dangerous = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** One line that moves no cursor: each control character becomes a middle dot, what is longer is cut. */
export function cleanText(text: string, longest: number): string {
  const clean = text.replace(/\t/g, ' ').replace(dangerous, '·');
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 1)}…`;
}
