import type { ResourceType } from "./node.ts";
import { parseRange, type ValueRange } from "./range.ts";

/** What the definition of an Object (its OMA XML file) says of one of its Resources. */
export interface ResourceDefinition {
  readonly id: number;
  readonly name: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  /** Absent for a Resource that can only be executed. */
  readonly type?: ResourceType;
  readonly range?: ValueRange;
}

/** The definition of an Object. */
export interface ObjectDefinition {
  readonly id: number;
  readonly name: string;
  /** Of the Object, such as `1.2`. */
  readonly version: string;
  /** The oldest version of LwM2M that has it, such as `1.1`. */
  readonly lwm2mVersion: string;
  /** Whether there may be several Instances; else there is at most one, with id 0. */
  readonly multiple: boolean;
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
  range?: string,
];

/** What is the same in all Resources of an Object. */
interface Head {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  readonly lwm2mVersion: string;
  readonly multiple?: boolean;
}

function define({ multiple = true, ...head }: Head, rows: readonly Row[]): ObjectDefinition {
  const resources = rows.map(([id, name, type, kind = "optional", rangeText = ""]): ResourceDefinition => {
    const range = type === "executable" ? undefined : parseRange(rangeText, type);
    return {
      id,
      name,
      multiple: kind === "multiple",
      mandatory: kind === "mandatory",
      ...(type === "executable" ? {} : { type }),
      ...(range === undefined ? {} : { range }),
    };
  });
  return { ...head, multiple, resources: new Map(resources.map((resource) => [resource.id, resource])) };
}

/** Object 0, LWM2M Security 1.2 (OMA lwm2m-registry, 0.xml). */
const SECURITY: ObjectDefinition = define({ id: 0, name: "LWM2M Security", version: "1.2", lwm2mVersion: "1.1" }, [
  [0, "LWM2M Server URI", "string", "mandatory", "0..255"],
  [1, "Bootstrap-Server", "boolean", "mandatory"],
  [2, "Security Mode", "integer", "mandatory", "0..4"],
  [3, "Public Key or Identity", "opaque", "mandatory"],
  [4, "Server Public Key", "opaque", "mandatory"],
  [5, "Secret Key", "opaque", "mandatory"],
  [6, "SMS Security Mode", "integer", "optional", "0..255"],
  [7, "SMS Binding Key Parameters", "opaque", "optional", "6"],
  [8, "SMS Binding Secret Key(s)", "opaque", "optional", "16,32,48"],
  [9, "LwM2M Server SMS Number", "string"],
  [10, "Short Server ID", "integer", "optional", "1..65534"],
  [11, "Client Hold Off Time", "integer"],
  [12, "Bootstrap-Server Account Timeout", "integer"],
  [13, "Matching Type", "unsigned", "optional", "0..3"],
  [14, "SNI", "string"],
  [15, "Certificate Usage", "unsigned", "optional", "0..3"],
  [16, "DTLS/TLS Ciphersuite", "unsigned", "multiple"],
  [17, "OSCORE Security Mode", "objlnk"],
  [18, "Groups To Use by Client", "unsigned", "multiple", "0..65535"],
  [19, "Signature Algorithms Supported by Server", "unsigned", "multiple", "0..65535"],
  [20, "Signature Algorithms To Use by Client", "unsigned", "multiple", "0..65535"],
  [21, "Signature Algorithm Certs Supported by Server", "unsigned", "multiple", "0..65535"],
  [22, "TLS 1.3 Features To Use by Client", "unsigned", "optional", "0..65535"],
  [23, "TLS Extensions Supported by Server", "unsigned", "optional", "0..65535"],
  [24, "TLS Extensions To Use by Client", "unsigned", "optional", "0..65535"],
  [25, "Secondary LwM2M Server URI", "string", "multiple", "0..255"],
  [26, "MQTT Server", "objlnk"],
  [27, "LwM2M COSE Security", "objlnk", "multiple"],
  [28, "RDS Destination Port", "integer", "optional", "0..15"],
  [29, "RDS Source Port", "integer", "optional", "0..15"],
  [30, "RDS Application ID", "string"],
]);

/** Object 1, LwM2M Server 1.2 (OMA lwm2m-registry, 1.xml). */
const SERVER: ObjectDefinition = define({ id: 1, name: "LwM2M Server", version: "1.2", lwm2mVersion: "1.2" }, [
  [0, "Short Server ID", "integer", "mandatory", "1..65534"],
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
  [11, "TLS-DTLS Alert Code", "unsigned", "optional", "0..255"],
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
  [26, "Default Notification Mode", "integer", "optional", "0..1"],
  [27, "Profile ID Hash Algorithm", "unsigned", "optional", "0..255"],
]);

/** Object 2, LwM2M Access Control 1.1 (OMA lwm2m-registry, 2.xml). */
const ACCESS_CONTROL: ObjectDefinition = define({ id: 2, name: "LwM2M Access Control", version: "1.1", lwm2mVersion: "1.0" }, [
  [0, "Object ID", "integer", "mandatory", "1..65534"],
  [1, "Object Instance ID", "integer", "mandatory", "0..65535"],
  [2, "ACL", "integer", "multiple", "0..31"],
  [3, "Access Control Owner", "integer", "mandatory", "0..65535"],
]);

/** Object 21, LWM2M OSCORE 2.0 (OMA lwm2m-registry, 21.xml). */
const OSCORE: ObjectDefinition = define({ id: 21, name: "LWM2M OSCORE", version: "2.0", lwm2mVersion: "1.1" }, [
  [0, "OSCORE Master Secret", "opaque", "mandatory"],
  [1, "OSCORE Sender ID", "opaque", "mandatory"],
  [2, "OSCORE Recipient ID", "opaque", "mandatory"],
  [3, "OSCORE AEAD Algorithm", "integer"],
  [4, "OSCORE HMAC Algorithm", "integer"],
  [5, "OSCORE Master Salt", "opaque"],
  [6, "OSCORE ID Context", "opaque"],
]);

/** Object 23, LwM2M COSE 1.0 (OMA lwm2m-registry, 23.xml). */
const COSE: ObjectDefinition = define({ id: 23, name: "LwM2M COSE", version: "1.0", lwm2mVersion: "1.2" }, [
  [0, "KID", "string", "mandatory"],
  [1, "AEAD Algorithm", "integer", "mandatory"],
  [2, "Key", "string", "mandatory"],
]);

/** Object 24, MQTT Server 1.0 (OMA lwm2m-registry, 24.xml). */
const MQTT_SERVER: ObjectDefinition = define({ id: 24, name: "MQTT Server", version: "1.0", lwm2mVersion: "1.2" }, [
  [0, "Will Retain", "boolean"],
  [1, "Will Topic", "string"],
  [2, "Will Message", "string"],
  [3, "Clean Session", "boolean"],
  [4, "Will QoS", "unsigned", "optional", "0..3"],
  [5, "Keep Alive", "unsigned", "optional", "0..65535"],
  [6, "Client Identifier", "string", "mandatory"],
  [7, "User Name", "string"],
  [8, "Password", "opaque"],
]);

/**
 * Id of the Berth object, which tells a device how its names are made: docs/objects/27378.xml. It lies in the range
 * OMA split off for objects of vendors that are "privately reused" without registration, 26241 to 32768.
 */
export const BERTH_OBJECT = 27378;

/** Resource ids of the Berth object. */
export const BERTH_RESOURCES = { recipe: 0, securityInstance: 1, nameSecret: 2, counter: 3 } as const;

const BERTH: ObjectDefinition = define(
  { id: BERTH_OBJECT, name: "Berth", version: "1.0", lwm2mVersion: "1.0", multiple: false },
  [
    [BERTH_RESOURCES.recipe, "Recipe", "string", "mandatory"],
    [BERTH_RESOURCES.securityInstance, "Security Instance", "objlnk"],
    [BERTH_RESOURCES.nameSecret, "Name Secret", "opaque"],
    [BERTH_RESOURCES.counter, "Counter", "unsigned", "optional", "0..9007199254740991"],
  ],
);

/** The objects of the bootstrap interface itself: Security, Server, Access Control, what they link to, and Berth's own. */
export const CORE_OBJECTS: ObjectDefinitions = new Map(
  [SECURITY, SERVER, ACCESS_CONTROL, OSCORE, COSE, MQTT_SERVER, BERTH].map((object) => [object.id, object]),
);
