import type { ManifestView } from '../../devices/bundle/index.js';
import { readModelFile, shapeOption } from './model-file.js';
import { defineVerb } from './verb.js';

export const inspectVerb = defineVerb({
  name: 'inspect',
  summary: 'show the inputs, outputs, operators, signatures and scheme of a model, or the manifest of a bundle',
  define: (command) =>
    shapeOption(command).argument('<model>', 'a .tflite file, a bundle, or a model that convert takes'),
  run: async (context, [file], options) => {
    const [
      { inspect },
      { bytesText, compiledReport, countText, shapeText, sourceReport, table },
      { manifestView },
      { readSource },
      { inspectSource },
    ] = await Promise.all([
      import('../inspect.js'),
      import('../report/index.js'),
      import('../../devices/bundle/index.js'),
      import('../../formats/source/index.js'),
      import('../inspect-source.js'),
    ]);
    const source = await readSource(file);
    if (source !== null) {
      const inspected = inspectSource(source);
      return { document: { file, source: inspected }, text: sourceReport(file, inspected) };
    }
    const { bytes, model, trailer } = await readModelFile(context, file, options);
    const manifest = trailer === null ? null : manifestView(trailer);
    const result = inspect(model, bytes);
    const tensorRow = (kind: string) => (tensor: (typeof result.inputs)[number]) => {
      const { quantization } = tensor;
      return [
        kind,
        tensor.name,
        tensor.type,
        shapeText(tensor.shapeSignature ?? tensor.shape),
        quantization === null ? '' : `scale ${quantization.scale}, zero point ${quantization.zeroPoint}`,
      ];
    };
    const text = [
      `${file}: ${result.scheme}, ${bytesText(result.bytes)} (${bytesText(result.parameterBytes)} of ` +
        `parameters), ${countText(result.macs)} MACs`,
      ...(manifest === null
        ? []
        : [
            `bundle for ${manifest.target}: version ${manifest.version}, counter ${manifest.counter}, ` +
              `${signer(manifest)}`,
          ]),
      result.description === '' ? '' : `description: ${result.description}`,
      ...(result.compiledBy === null
        ? []
        : [
            `compiled by ${result.compiledBy.compiler} for ${result.compiledBy.accelerator}: only that runs ` +
              'it; use the original file for quantize, check and run',
          ]),
      '',
      table([...result.inputs.map(tensorRow('input')), ...result.outputs.map(tensorRow('output'))]),
      '',
      table(
        result.operators.map(({ index, op, version, macs }) => [
          index,
          op,
          `v${version}`,
          macs === null ? '?' : countText(macs),
        ]),
        ['#', 'operator', 'version', 'MACs'],
      ),
      ...result.signatures.map(
        ({ key, inputs, outputs }) => `signature ${key}: ${inputs.join(', ')} -> ${outputs.join(', ')}`,
      ),
      ...(result.edgeTpu === null ? [] : ['', compiledReport(result.edgeTpu)]),
      ...(result.metadata.length === 0 ? [] : [`metadata: ${result.metadata.join(', ')}`]),
    ];
    return { document: { file, ...result, manifest }, text: text.filter((line, i) => line !== '' || i > 1).join('\n') };
  },
});

function signer({ signedBy }: ManifestView): string {
  return signedBy === null ? 'not signed' : `signed by ${signedBy} (not verified here)`;
}
