import { EnumerationStatus, enumerationCommands, Group } from '../protocol/index.js';
import { type Handler, readHandler } from './handlers.js';
import { StatusError } from './status-error.js';

const groups = [
  { group: Group.os, name: 'os mgmt' },
  { group: Group.stats, name: 'stat mgmt' },
  { group: Group.file, name: 'fs mgmt' },
  { group: Group.enumeration, name: 'enum mgmt' },
  { group: Group.atoll, name: 'atoll' },
];

export const enumerationHandlers: readonly Handler[] = [
  readHandler(enumerationCommands.count, () => ({ count: groups.length })),
  readHandler(enumerationCommands.list, () => ({ groups: groups.map(({ group }) => group) })),
  readHandler(enumerationCommands.single, ({ index = 0 }) => {
    const found = groups[index];
    if (found === undefined) throw new StatusError(Group.enumeration, EnumerationStatus.INDEX_TOO_LARGE);
    return { group: found.group, ...(index === groups.length - 1 ? { end: true } : {}) };
  }),
  readHandler(enumerationCommands.details, ({ groups: asked }) => ({
    groups: groups.filter(({ group }) => asked?.includes(group) ?? true),
  })),
];
