import { CORE_OBJECTS, type ObjectDefinition, type ObjectDefinitions } from "../lwm2m/index.ts";

/** Object ids of the bootstrap interface. */
export const SECURITY_OBJECT = 0;
export const SERVER_OBJECT = 1;
export const ACCESS_CONTROL_OBJECT = 2;
export const DEVICE_OBJECT = 3;
export const OSCORE_OBJECT = 21;
export const COSE_OBJECT = 23;
export const MQTT_OBJECT = 24;

/** Resources of the Security object (OMA lwm2m-registry, 0.xml) that the device itself works with. */
export const Security = {
  uri: 0,
  bootstrap: 1,
  mode: 2,
  identity: 3,
  serverKey: 4,
  secretKey: 5,
  shortServerId: 10,
  holdOff: 11,
  accountTimeout: 12,
  matchingType: 13,
  sni: 14,
  certificateUsage: 15,
  oscore: 17,
  mqtt: 26,
  cose: 27,
} as const;

/** Resources of the Server object (1.xml). */
export const Server = { shortServerId: 0 } as const;

/** Object 3, Device, as far as its Resources are mandatory or worth having in every device (OMA lwm2m-registry, 3.xml). */
const DEVICE: ObjectDefinition = {
  id: DEVICE_OBJECT,
  name: "Device",
  version: "1.2",
  lwm2mVersion: "1.1",
  multiple: false,
  resources: new Map([
    [0, { id: 0, name: "Manufacturer", multiple: false, mandatory: false, type: "string" }],
    [1, { id: 1, name: "Model Number", multiple: false, mandatory: false, type: "string" }],
    [4, { id: 4, name: "Reboot", multiple: false, mandatory: true }],
    [11, { id: 11, name: "Error Code", multiple: true, mandatory: true, type: "integer", range: [[0, 32]] }],
    [16, { id: 16, name: "Supported Binding and Modes", multiple: false, mandatory: true, type: "string" }],
  ]),
};

/** The objects every device has: those of the bootstrap interface, the Berth object, and Device. */
export const DEVICE_OBJECTS: ObjectDefinitions = byId([...CORE_OBJECTS.values(), DEVICE]);

/** The objects of a device that has `more`, each in place of the one of {@link DEVICE_OBJECTS} with its id. */
export function deviceObjects(more: ObjectDefinitions = new Map()): ObjectDefinitions {
  return more.size === 0 ? DEVICE_OBJECTS : byId([...DEVICE_OBJECTS.values(), ...more.values()]);
}

function byId(definitions: readonly ObjectDefinition[]): ObjectDefinitions {
  return new Map([...new Map(definitions.map((object) => [object.id, object]))].sort(([a], [b]) => a - b));
}
