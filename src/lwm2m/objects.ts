import type { ResourceType } from "./node.ts";

/** What the definition of an Object (its OMA XML file) says of one of its Resources. */
export interface ResourceDefinition {
  readonly id: number;
  readonly name: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  /** Absent for a Resource that can only be executed. */
  readonly type?: ResourceType;
  /** Smallest and largest value; for strings and opaques, length in characters or bytes. */
  readonly range?: readonly [min: number, max: number];
}

/** The definition of an Object. */
export interface ObjectDefinition {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  readonly resources: ReadonlyMap<number, ResourceDefinition>;
}

/** Definitions by object id: {@link CORE_OBJECTS}, or those and more. */
export type ObjectDefinitions = ReadonlyMap<number, ObjectDefinition>;

/** One line of a table below: id, name, type, then what is not "single, optional, any value". */
type Row = readonly [
  id: number,
  name: string,
  type: ResourceType | "executable",
  kind?: "mandatory" | "optional" | "multiple",
  range?: readonly [number, number],
];

function define(id: number, name: string, version: string, rows: readonly Row[]): ObjectDefinition {
  const resources = rows.map(
    ([resourceId, resourceName, type, kind = "optional", range]): ResourceDefinition => ({
      id: resourceId,
      name: resourceName,
      multiple: kind === "multiple",
      mandatory: kind === "mandatory",
      ...(type === "executable" ? {} : { type }),
      ...(range === undefined ? {} : { range }),
    }),
  );
  return { id, name, version, resources: new Map(resources.map((resource) => [resource.id, resource])) };
}

/** Object 0, LWM2M Security 1.2 (OMA lwm2m-registry, 0.xml). */
const SECURITY: ObjectDefinition = define(0, "LWM2M Security", "1.2", [
  [0, "LWM2M Server URI", "string", "mandatory", [0, 255]],
  [1, "Bootstrap-Server", "boolean", "mandatory"],
  [2, "Security Mode", "integer", "mandatory", [0, 4]],
  [3, "Public Key or Identity", "opaque", "mandatory"],
  [4, "Server Public Key", "opaque", "mandatory"],
  [5, "Secret Key", "opaque", "mandatory"],
  [6, "SMS Security Mode", "integer", "optional", [0, 255]],
  [7, "SMS Binding Key Parameters", "opaque", "optional", [6, 6]],
  [8, "SMS Binding Secret Key(s)", "opaque"],
  [9, "LwM2M Server SMS Number", "string"],
  [10, "Short Server ID", "integer", "optional", [1, 65534]],
  [11, "Client Hold Off Time", "integer"],
  [12, "Bootstrap-Server Account Timeout", "integer"],
  [13, "Matching Type", "unsigned", "optional", [0, 3]],
  [14, "SNI", "string"],
  [15, "Certificate Usage", "unsigned", "optional", [0, 3]],
  [16, "DTLS/TLS Ciphersuite", "unsigned", "multiple"],
  [17, "OSCORE Security Mode", "objlnk"],
  [18, "Groups To Use by Client", "unsigned", "multiple", [0, 65535]],
  [19, "Signature Algorithms Supported by Server", "unsigned", "multiple", [0, 65535]],
  [20, "Signature Algorithms To Use by Client", "unsigned", "multiple", [0, 65535]],
  [21, "Signature Algorithm Certs Supported by Server", "unsigned", "multiple", [0, 65535]],
  [22, "TLS 1.3 Features To Use by Client", "unsigned", "optional", [0, 65535]],
  [23, "TLS Extensions Supported by Server", "unsigned", "optional", [0, 65535]],
  [24, "TLS Extensions To Use by Client", "unsigned", "optional", [0, 65535]],
  [25, "Secondary LwM2M Server URI", "string", "multiple", [0, 255]],
  [26, "MQTT Server", "objlnk"],
  [27, "LwM2M COSE Security", "objlnk", "multiple"],
  [28, "RDS Destination Port", "integer", "optional", [0, 15]],
  [29, "RDS Source Port", "integer", "optional", [0, 15]],
  [30, "RDS Application ID", "string"],
]);

/** Object 1, LwM2M Server 1.2 (OMA lwm2m-registry, 1.xml). */
const SERVER: ObjectDefinition = define(1, "LwM2M Server", "1.2", [
  [0, "Short Server ID", "integer", "mandatory", [1, 65534]],
  [1, "Lifetime", "integer", "mandatory"],
  [2, "Default Minimum Period", "integer"],
  [3, "Default Maximum Period", "integer"],
  [4, "Disable", "executable"],
  [5, "Disable Timeout", "integer"],
  [6, "Notification Storing When Disabled or Offline", "boolean", "mandatory"],
  [7, "Binding", "string", "mandatory"],
  [8, "Registration Update Trigger", "executable", "mandatory"],
  [9, "Bootstrap-Request Trigger", "executable"],
  [10, "APN Link", "objlnk"],
  [11, "TLS-DTLS Alert Code", "unsigned", "optional", [0, 255]],
  [12, "Last Bootstrapped", "time"],
  [13, "Registration Priority Order", "unsigned"],
  [14, "Initial Registration Delay Timer", "unsigned"],
  [15, "Registration Failure Block", "boolean"],
  [16, "Bootstrap on Registration Failure", "boolean"],
  [17, "Communication Retry Count", "unsigned"],
  [18, "Communication Retry Timer", "unsigned"],
  [19, "Communication Sequence Delay Timer", "unsigned"],
  [20, "Communication Sequence Retry Count", "unsigned"],
  [21, "Trigger", "boolean"],
  [22, "Preferred Transport", "string"],
  [23, "Mute Send", "boolean"],
  [24, "Alternate APN Links", "objlnk", "multiple"],
  [25, "Supported Server Versions", "string", "multiple"],
  [26, "Default Notification Mode", "integer", "optional", [0, 1]],
  [27, "Profile ID Hash Algorithm", "unsigned", "optional", [0, 255]],
]);

/** Object 2, LwM2M Access Control 1.1 (OMA lwm2m-registry, 2.xml). */
const ACCESS_CONTROL: ObjectDefinition = define(2, "LwM2M Access Control", "1.1", [
  [0, "Object ID", "integer", "mandatory", [1, 65534]],
  [1, "Object Instance ID", "integer", "mandatory", [0, 65535]],
  [2, "ACL", "integer", "multiple", [0, 31]],
  [3, "Access Control Owner", "integer", "mandatory", [0, 65535]],
]);

/** The objects of the bootstrap interface itself: Security, Server, Access Control. */
export const CORE_OBJECTS: ObjectDefinitions = new Map([SECURITY, SERVER, ACCESS_CONTROL].map((object) => [object.id, object]));
