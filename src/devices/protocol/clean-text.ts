// Cleans text received from devices before it is shown in terminals, pages and logs.

/**
 * Control characters, and those that reorder or hide text: C0, C1, zero-width, bidirectional, byte order mark, line and
 * paragraph separators.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
const dangerous = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Replaces each control character by a middle dot, and cuts text that is too long. The result is one line and moves no
 * cursor.
 */
export function cleanText(text: string, longest: number): string {
  const clean = text.replace(/\t/g, ' ').replace(dangerous, '·');
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 1)}…`;
}
