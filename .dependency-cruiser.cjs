// Imports go downwards only, through these layers, low to high. Folders of one layer may not import each other.
const layers = [
  ['errors'],
  ['files', 'programs', 'flatbuffer'],
  ['tflite', 'protocol', 'mqtt'],
  ['kernels'],
  ['simulator', 'dataset'],
  ['targets'],
  ['edgetpu'],
  ['evaluate'],
  ['optimize'],
  ['quantize'],
  ['bundle', 'export'],
  ['transport'],
  ['device', 'simdevice'],
  ['flashing'],
  ['accelerator'],
  ['inspect', 'open-device', 'doctor'],
  ['deploy', 'advise', 'optimize-weights', 'remedies', 'devices'],
  ['fleet'],
  ['report'],
  ['cli'],
];

const pathOf = (name) => `^src/${name}(\\.ts$|/)`;

/** What a folder may not import: its own layer's other folders, and everything above. */
const onlyDownwards = (folder, sameAndAbove) => ({
  name: `${folder}-imports-downwards`,
  severity: 'error',
  from: { path: pathOf(folder) },
  // "nothing" stands for the top: an empty list would forbid everything.
  to: { path: [pathOf('nothing'), ...sameAndAbove.filter((other) => other !== folder).map(pathOf)] },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layers.flatMap((folders, level) => folders.map((folder) => onlyDownwards(folder, layers.slice(level).flat()))),
  ],
  options: {
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
