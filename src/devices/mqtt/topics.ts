// The topics of a fleet (docs/fleets.md has the table), and how filters match them (MQTT 3.1.1, 4.7).

import { createHash } from 'node:crypto';

/** What may stand for a fleet, a device or a client in a topic: no level separators, no wildcards. */
export const topicName = /^[\w.-]{1,64}$/;

/** What is said of a device under `alive`. */
export const presence = { online: 'online', offline: 'offline' } as const;

export function fleetTopics(fleet: string) {
  const root = `atoll/${fleet}`;
  const device = (id: string): string => `${root}/d/${id}`;
  return {
    /** Retained: online, or offline as the device's last will. */
    alive: (id: string): string => `${device(id)}/alive`,
    /** Retained: what a device is to run. */
    desired: (id: string): string => `${device(id)}/desired`,
    /** Retained: how far it is. */
    reported: (id: string): string => `${root}/r/${shardOf(id)}/${id}`,
    /** Who is there. */
    allAlive: `${root}/d/+/alive`,
    /** For an agent's own marks, which tell it that it has read on to here. */
    mark: (client: string): string => `${root}/d/${client}/mark`,
    /** The same as a filter with a wildcard, which no other agent subscribes to. */
    ownMarks: (client: string): string => `${root}/d/${client}/+`,
    /** Of a shard, or of all. */
    allReported: (shard = '+'): string => `${root}/r/${shard}/+`,
    /** Retained: a block of a slot image. */
    block: (sha: string, segment: number, n: number): string => `${root}/b/${sha}/${segment}/${n}`,
    segment: (sha: string, segment: number): string => `${root}/b/${sha}/${segment}/+`,
    /** A device asks for blocks here, and gets them there. */
    blockRequest: (id: string): string => `${device(id)}/blk/req`,
    pulledBlock: (id: string): string => `${device(id)}/blk`,
    allBlockRequests: `${root}/d/+/blk/req`,
    smpRequest: (id: string, client: string): string => `${device(id)}/smp/req/${client}`,
    smpResponse: (id: string, client: string): string => `${device(id)}/smp/rsp/${client}`,
  };
}

/** A broker lets one client of a name in: a device that comes twice puts itself out. */
export function deviceClientId(fleet: string, id: string): string {
  return `atoll-${fleet}-${id}`;
}

/** Devices are spread over 256 shards, so that a fleet can be read part by part. */
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
