const reserved = new Set(
  (
    'auto bool break case catch char class const continue default delete do double else enum explicit extern ' +
    'false float for friend goto if inline int long mutable namespace new operator private protected public ' +
    'register return short signed sizeof static struct switch template this throw true try typedef typename ' +
    'union unsigned using virtual void volatile while'
  ).split(' '),
);

/** A C identifier from a file name: `kws-v2.tflite` gives `kws_v2`. */
export function identifierOf(file: string): string {
  const stem = (file.split(/[/\\]/).at(-1) ?? '').replace(/\.[^.]*$/, '');
  const name = stem.replaceAll(/[^A-Za-z0-9]+/g, '_').replaceAll(/^_+|_+$/g, '') || 'model';
  return /^\d/.test(name) || reserved.has(name) ? `model_${name}` : name;
}
