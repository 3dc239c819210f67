// MQTT: broker addresses, connections, the topics of a fleet, and an embedded broker. Nothing here knows what messages
// mean.

export { type BrokerAddress, fleetKey, fleetOf, isBrokerUri, parseBrokerAddress } from './address.js';
export { type BrokerConnection, type BrokerTrouble, connectToBroker, type Message } from './connection.js';
export { type EmbeddedBroker, startBroker } from './embedded.js';
export { RetainedTree } from './retained-tree.js';
export { deviceClientId, fleetTopics, matchesFilter, presence, shardOf, topicName } from './topics.js';
