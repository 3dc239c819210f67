// Keras models: the archive of Keras 3 (.keras: config.json, metadata.json and model.weights.h5 in a zip file, which
// fflate unpacks) and the HDF5 file of Keras 2 and 3 (.h5). Only data is read: the bodies of Lambda layers, which the
// files hold as marshalled Python code, are never decoded.

import { unzipSync } from 'fflate';
import { reasonOf } from '../../../base/errors.js';
import { refuseForeign } from '../foreign.js';
import type { Attributes, SourceGraph } from '../graph.js';
import { asText, parseJsonObject, sourceInvalid } from '../json.js';
import { Hdf5Group } from './hdf5.js';
import { type ModelConfig, parseModel } from './model-config.js';
import { graphOf } from './topology.js';
import { archiveScope, legacyScope } from './weights.js';

const archiveFiles = ['config.json', 'metadata.json', 'model.weights.h5'];
/** Most bytes that the files of an archive may unpack to. */
const maxUnpackedBytes = 2 ** 31 - 1;

/** @param where the file's name, for messages. @throws SOURCE_INVALID, SOURCE_UNSUPPORTED */
export function readKerasArchive(bytes: Uint8Array, where: string): SourceGraph {
  const files = unpack(bytes, where);
  const file = (name: string): Uint8Array => {
    const content = files[name];
    if (content === undefined) throw sourceInvalid(where, `the archive lacks ${name}`);
    return content;
  };
  const config = parseJsonObject(new TextDecoder().decode(file('config.json')), `${where}: config.json`);
  const metadata = files['metadata.json'];
  const version =
    metadata === undefined
      ? undefined
      : parseJsonObject(new TextDecoder().decode(metadata), `${where}: metadata.json`).keras_version;
  const model = modelIn(config, where);
  const weights = Hdf5Group.open(file('model.weights.h5'), `${where}: model.weights.h5`);
  return graphOf(model, archiveScope(weights, model.layers), { format: 'keras', producer: producerOf(version) });
}

/** @param where the file's name, for messages. @throws SOURCE_INVALID, SOURCE_UNSUPPORTED */
export function readKerasH5(bytes: Uint8Array, where: string): SourceGraph {
  const root = Hdf5Group.open(bytes, where);
  const text = root.text('model_config');
  if (text === null) throw refuseForeign(where, 'keras-weights');
  const model = modelIn(parseJsonObject(text, `${where}: model_config`), where);
  const weights = root.child('model_weights');
  if (weights === null) throw sourceInvalid(where, 'it has no group model_weights');
  const version = root.text('keras_version') ?? weights.text('keras_version') ?? undefined;
  return graphOf(model, legacyScope(weights), { format: 'keras', producer: producerOf(version) });
}

function unpack(bytes: Uint8Array, where: string): Record<string, Uint8Array> {
  let unpacked = 0;
  try {
    return unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        if (!archiveFiles.includes(name)) return false;
        unpacked += originalSize;
        if (unpacked > maxUnpackedBytes) throw new Error(`${name} unpacks to ${originalSize} bytes`);
        return true;
      },
    });
  } catch (error) {
    throw sourceInvalid(where, `damaged zip file: ${reasonOf(error)}`, error);
  }
}

function modelIn(config: Attributes, where: string): ModelConfig {
  const className = asText(config.class_name, `${where}: class_name`);
  const model = parseModel(className, config.config, where);
  if (model === null) throw refuseForeign(where, 'keras-subclassed');
  return model;
}

function producerOf(version: unknown): string {
  return typeof version === 'string' ? `Keras ${version}` : 'Keras';
}
