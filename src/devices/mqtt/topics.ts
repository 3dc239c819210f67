// The topics of a fleet (table in docs/fleets.md), and how filters match them (MQTT 3.1.1, 4.7).

import { createHash } from 'node:crypto';

/** Valid names of fleets, devices and clients in topics: no level separators, no wildcards. */
export const topicName = /^[\w.-]{1,64}$/;

/** Payloads of the `alive` topic. */
export const presence = { online: 'online', offline: 'offline' } as const;

export function fleetTopics(fleet: string) {
  const root = `atoll/${fleet}`;
  const device = (id: string): string => `${root}/d/${id}`;
  return {
    /** Retained: online, or offline as the device's last will. */
    alive: (id: string): string => `${device(id)}/alive`,
    /** Retained: what a device should run. */
    desired: (id: string): string => `${device(id)}/desired`,
    /** Retained: the device's report. */
    reported: (id: string): string => `${root}/r/${shardOf(id)}/${id}`,
    /** All `alive` messages. */
    allAlive: `${root}/d/+/alive`,
    /** An agent's own marks, which show it that it has read up to there. */
    mark: (client: string): string => `${root}/d/${client}/mark`,
    /** The same as a filter with a wildcard, which no other agent subscribes to. */
    ownMarks: (client: string): string => `${root}/d/${client}/+`,
    /** Reports of a shard, or of all. */
    allReported: (shard = '+'): string => `${root}/r/${shard}/+`,
    /** Retained: a block of a slot image. */
    block: (sha: string, segment: number, n: number): string => `${root}/b/${sha}/${segment}/${n}`,
    segment: (sha: string, segment: number): string => `${root}/b/${sha}/${segment}/+`,
    /** Topics on which a device requests and receives blocks. */
    blockRequest: (id: string): string => `${device(id)}/blk/req`,
    pulledBlock: (id: string): string => `${device(id)}/blk`,
    allBlockRequests: `${root}/d/+/blk/req`,
    smpRequest: (id: string, client: string): string => `${device(id)}/smp/req/${client}`,
    smpResponse: (id: string, client: string): string => `${device(id)}/smp/rsp/${client}`,
  };
}

/** A broker accepts one client per id: a device that is started twice disconnects itself. */
export function deviceClientId(fleet: string, id: string): string {
  return `atoll-${fleet}-${id}`;
}

/** Devices are spread over 256 shards, so that a fleet can be read in parts. */
export function shardOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 2);
}

export function matchesFilter(filter: string, topic: string): boolean {
  const [wanted, levels] = [filter.split('/'), topic.split('/')];
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (levels[i] === undefined || (level !== '+' && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
