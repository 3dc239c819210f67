// Run by a test under an emulated USB bus: a model is pushed, the device is reset and comes back, and says what it
// runs.
import { readFileSync } from 'node:fs';
import { push } from '../../dist/devices/client/index.js';
import { openDevice } from '../../dist/devices/open-device.js';

const [uri, image] = process.argv.slice(2);
const device = await openDevice(uri);
const pushed = await push(device, readFileSync(image));
await device.reset();
console.log(JSON.stringify({ pushed: pushed.model, running: await device.activeModel(), name: device.client.name }));
await device.close();
