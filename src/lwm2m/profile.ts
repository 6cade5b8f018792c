import type { WriteFormatName } from "./content-format.ts";

/**
 * What a bootstrap does to a device, for any number of devices: `docs/profiles.md` explains it to users. It is
 * plain data; written as JSON and read again by `parseProfile` it stays the same.
 */
export interface BootstrapProfile {
  /** Whether the client is asked first what it has (Bootstrap-Discover). */
  readonly discover: boolean;
  /** `/`, Objects and Object Instances to delete before anything is written. */
  readonly delete: readonly string[];
  /** Of all Bootstrap-Writes. Absent: what the client prefers, else TLV. */
  readonly contentFormat?: WriteFormatName | undefined;
  /** Of the writes of one Resource, `/O/I/R` of {@link objects}. Absent: as the other writes. */
  readonly resourceFormat?: ResourceFormatName | undefined;
  readonly servers: readonly ServerAccount[];
  /** What is to become of the client's own bootstrap account. Absent: it stays as it is. */
  readonly bootstrapServer?: BootstrapAccount | undefined;
  /** Anything else, by path: `/O` its instances, `/O/I` its resources, `/O/I/R` its value. */
  readonly objects: Readonly<Record<string, ObjectSetting>>;
}

/** `plain` is text, or bytes as they are for an opaque; `cbor` is one CBOR data item. */
export type ResourceFormatName = "plain" | "cbor";

/** An LwM2M Server Account: an instance of /0 and one of /1. */
export interface ServerAccount {
  readonly uri: string;
  readonly shortServerId: number;
  /** Instance id in /0 and /1. Absent: that of the account the client has for this server, else a free one. */
  readonly instance?: number | undefined;
  /** Registration lifetime in seconds. */
  readonly lifetime: number;
  readonly binding: string;
  /** Whether notifications are kept while the server is disabled or the device offline (/1/x/6). */
  readonly notificationStoring: boolean;
  readonly security: ServerSecurity;
  /** Further resources of the instance of /0, by id. */
  readonly securityResources: ResourceSettings;
  /** Further resources of the instance of /1, by id. */
  readonly serverResources: ResourceSettings;
}

/** The client's way to its bootstrap server, written over the one it has. */
export interface BootstrapAccount {
  /** Of the bootstrap server, or the static URI of one that is named by a recipe. */
  readonly uri: string;
  readonly security: AccountSecurity;
  /** Where the account is when the client does not show it. Absent: such a client is not bootstrapped. */
  readonly instance?: number | undefined;
  /** Further resources of the instance of /0, by id. */
  readonly securityResources: ResourceSettings;
  /** Data by which the device makes its temporary URIs, as JSON; read by naming/. Absent: nothing of it is written. */
  readonly recipe?: unknown;
  /** What the names are made with, in hex. Absent: the key of the account. */
  readonly nameSecret?: string | undefined;
}

/** How a client and a bootstrap server prove themselves. Keys and certificates are PEM, hex or base64 of DER. */
export type AccountSecurity = (
  | { readonly mode: "nosec" }
  /** `identity` is text and `key` hex. */
  | { readonly mode: "psk"; readonly identity: string; readonly key: string }
  /** `key` belongs to `certificate`, both the client's. */
  | { readonly mode: "x509"; readonly certificate: string; readonly key: string; readonly serverCertificate: string }
  /** `key` belongs to `publicKey`, both the client's. */
  | { readonly mode: "rpk"; readonly publicKey: string; readonly key: string; readonly serverPublicKey: string }
) & { readonly oscore?: OscoreSettings | undefined };

/** The same for an LwM2M Server; `fresh-psk` is a PSK of `bytes` bytes made at each bootstrap and put into a security store. */
export type ServerSecurity =
  | AccountSecurity
  | {
      readonly mode: "fresh-psk";
      readonly identity: string;
      readonly bytes: number;
      readonly securityStore: string;
      readonly oscore?: OscoreSettings | undefined;
    };

/** An instance of /21, linked from the server's /0. Bytes in hex; algorithms by their COSE number. */
export interface OscoreSettings {
  readonly masterSecret: string;
  readonly senderId: string;
  readonly recipientId: string;
  readonly aead?: number | undefined;
  readonly hmac?: number | undefined;
  readonly masterSalt?: string | undefined;
  readonly idContext?: string | undefined;
}

/** By the depth of its path. */
export type ObjectSetting = InstanceSettings | ResourceSettings | ResourceSetting;

/** Object Instances by id. */
export type InstanceSettings = Readonly<Record<string, ResourceSettings>>;

/** Resources by id. */
export type ResourceSettings = Readonly<Record<string, ResourceSetting>>;

/** One value, or the values of a multiple resource by resource instance id. */
export type ResourceSetting = ValueSetting | { readonly [resourceInstanceId: string]: ValueSetting };

/** A value of the type the object's definition says; `{ type: value }` where there is none, or to write an opaque as text. */
export type ValueSetting = PlainValue | { readonly [type: string]: PlainValue };

export type PlainValue = string | number | boolean;
