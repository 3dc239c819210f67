// The layers of src, low to high. A folder imports only from itself and from folders below it.
const layers = ['base', 'formats', 'data', 'simulator', 'targets', 'evaluate', 'devices', 'optimize', 'fleet', 'app'];

const pathOf = (name) => `^src/${name}/`;

const onlyDownwards = (folder, level) => ({
  name: `${folder}-imports-downwards`,
  severity: 'error',
  from: { path: pathOf(folder) },
  to: { path: [...layers.slice(level + 1).map(pathOf), '^src/index\\.ts$'] },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-other-folders',
      severity: 'error',
      from: { path: '^src/', pathNot: [...layers.map(pathOf), '^src/index\\.ts$'] },
      to: {},
    },
    ...layers.map(onlyDownwards),
  ],
  options: {
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
