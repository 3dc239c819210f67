// Parses the part of a device's URI after the scheme: a place, and options as in a URL.

import { fail } from '../../base/errors.js';

export interface DeviceAddress {
  readonly uri: string;
  readonly scheme: string;
  readonly place: string;
  readonly options: ReadonlyMap<string, string>;
}

/** @throws DEVICE_UNKNOWN for options that the scheme does not have */
export function parseAddress(uri: string, optionsOfScheme: Readonly<Record<string, readonly string[]>>): DeviceAddress {
  const [scheme = '', rest = ''] = uri.split(/:(.*)/s);
  const [place = '', query = ''] = rest.split(/\?(.*)/s);
  const known = optionsOfScheme[scheme];
  if (known === undefined) {
    const schemes = Object.keys(optionsOfScheme).join(', ');
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: `unknown scheme ${JSON.stringify(scheme)}; known schemes: ${schemes}`,
    });
  }
  const options = new Map(new URLSearchParams(query));
  const stranger = [...options.keys()].find((name) => !known.includes(name));
  if (stranger !== undefined) {
    const takes = known.length === 0 ? 'no options' : `the options ${known.join(', ')}`;
    throw fail('DEVICE_UNKNOWN', { device: uri, reason: `unknown option ${stranger}: ${scheme} has ${takes}` });
  }
  return { uri, scheme, place, options };
}

/** One of several words; the first is the default. @throws DEVICE_UNKNOWN */
export function choiceOf<Choice extends string>(
  address: DeviceAddress,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const value = address.options.get(name) ?? choices[0];
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw fail('DEVICE_UNKNOWN', {
      device: address.uri,
      reason: `${name}=${value} is not one of ${choices.join(', ')}`,
    });
  return found;
}

/** HOST:PORT, [IPv6]:PORT, PORT alone, or HOST alone if there is a default port. @throws DEVICE_UNKNOWN */
export function hostAndPort(
  { uri, place }: DeviceAddress,
  defaultPort: number | null,
): { readonly host: string; readonly port: number } {
  const parts =
    /^(?:(?<host>\[[^\]]+\]|[^:[\]]*[^:[\]\d][^:[\]]*|\d+(?:\.\d+){3})(?::(?<port>\d+))?|(?<alone>\d+))$/.exec(
      place,
    )?.groups;
  const port = Number(parts?.port ?? parts?.alone ?? defaultPort ?? Number.NaN);
  if (parts === undefined || !(port >= 0 && port <= 65535)) {
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: `${place === '' ? 'an empty address' : place} is not HOST:PORT`,
    });
  }
  return { host: (parts.host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
}

/** @throws DEVICE_UNKNOWN */
export function baudOf<Default extends number | null>(
  { uri, options }: DeviceAddress,
  otherwise: Default,
): number | Default {
  const text = options.get('baud');
  if (text === undefined) return otherwise;
  const baud = Number(text);
  if (!Number.isInteger(baud) || baud < 50)
    throw fail('DEVICE_UNKNOWN', { device: uri, reason: `baud=${text} is not a baud rate` });
  return baud;
}
