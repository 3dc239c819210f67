// Rolling a bundle out over a fleet. So far: putting a bundle where every device of a fleet can fetch it, and telling devices to.

export { type PublishedBundle, publishBundle, withdrawBundle } from './publish-bundle.js';
export { type FleetMember, type Registry, readRegistry } from './registry.js';
