import { CORE_OBJECTS, type ObjectDefinition, type ObjectDefinitions } from "../lwm2m/index.ts";

/** Object ids of the bootstrap interface. */
export const SECURITY_OBJECT = 0;
export const SERVER_OBJECT = 1;
export const ACCESS_CONTROL_OBJECT = 2;
export const DEVICE_OBJECT = 3;

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

/** The objects the device has: Security, Server, Access Control and Device. */
export const DEVICE_OBJECTS: ObjectDefinitions = new Map([...CORE_OBJECTS, [DEVICE.id, DEVICE]]);
