// Imports go downwards only, through these layers, low to high. Folders of one layer may not import each other.
const layers = [
  ['errors'],
  ['files'],
  ['tflite', 'protocol'],
  ['kernels'],
  ['simulator', 'dataset'],
  ['targets'],
  ['evaluate'],
  ['optimize', 'quantize'],
  ['bundle'],
  ['transport'],
  ['device', 'simdevice'],
  ['inspect', 'open-device'],
  ['deploy'],
  ['fleet'],
  ['report'],
  ['cli'],
];

const pathOf = (name) => `^src/${name}(\\.ts$|/)`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layers.flatMap((folders, level) =>
      folders.map((folder) => ({
        name: `${folder}-imports-downwards`,
        severity: 'error',
        from: { path: pathOf(folder) },
        to: {
          path: layers
            .slice(level)
            .flat()
            .filter((other) => other !== folder)
            .map(pathOf),
        },
      })),
    ),
  ],
  options: { tsConfig: { fileName: 'tsconfig.json' }, tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
