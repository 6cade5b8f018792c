import type { DiscoverAnswer } from "./discover.ts";
import type { ObjectInstance } from "./node.ts";
import type { Path } from "./path.ts";

/** What a profile needs to know of a device: the values of its placeholders. */
export interface DeviceFacts {
  readonly endpoint: string;
  /** The device's row of the import file, by column name. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** One request of the bootstrap server to the device. */
export type BootstrapStep =
  /** GET, Accept 40; before the plan is made, and again after a Finish that was answered 4.06. */
  | { readonly kind: "discover"; readonly path: string }
  /** GET of `/1` or `/2`, Accept the format the session writes in. */
  | { readonly kind: "read"; readonly path: string }
  | { readonly kind: "delete"; readonly path: string }
  | BootstrapWrite
  | { readonly kind: "finish" };

/** A Bootstrap-Write of an Object, an Object Instance or a Resource. */
export interface BootstrapWrite {
  readonly kind: "write";
  readonly path: string;
  /**
   * Formats of this write alone, in the order they are to be tried: first these, then those of the session
   * ({@link CompiledProfile.formats}). A refusal of one of these says nothing of the session's format. Absent: none.
   */
  readonly formats?: readonly number[];
  /**
   * The payload in a format, one of {@link formats} or of the session's. It is made when asked for and kept, so asking
   * again for a repetition costs nothing; what does not depend on the device is made once for all devices.
   * @throws UnencodableValue, UnsupportedContentFormat
   */
  payload(contentFormat: number): Uint8Array;
}

/** A PSK that is made on the spot for one server account, and handed to the LwM2M Server as well. */
export interface FreshKeyWanted {
  /** Of the server account; no two of a profile have the same. */
  readonly shortServerId: number;
  /** Name of the security store that takes identity and key. */
  readonly securityStore: string;
  /** Length of the key. */
  readonly bytes: number;
  /**
   * The identity that goes with the key.
   * @throws ProfileMismatch when an attribute it needs is missing
   */
  identity(device: DeviceFacts): string;
}

/** Fresh keys by short server id: one of {@link FreshKeyWanted.bytes} bytes for each that is wanted. */
export type FreshKeys = ReadonlyMap<number, Uint8Array>;

/** What is known of a client before anything is written. */
export interface PlanContext {
  /** Its answer to Bootstrap-Discover of `/`. Absent: not asked, or refused. */
  readonly found?: DiscoverAnswer;
  readonly freshKeys?: FreshKeys;
}

/** What is known of a client that asks for a Bootstrap-Pack. */
export interface PackContext {
  /** The instances of its bootstrap account as it names them itself (`acc`), such as `/0/0` and `/21/0`. */
  readonly accounts?: readonly Path[];
  readonly freshKeys?: FreshKeys;
}

/** What one bootstrap does to one device. */
export interface BootstrapPlan {
  /** All deletes; the writes, /0 first and the bootstrap account last; Finish. */
  readonly steps: readonly BootstrapStep[];
  /**
   * What to do after the client has answered Finish with 4.06, once: deletes of leftovers that keep the client's
   * objects from being consistent, writes of what is missing, and Finish. Empty when there is nothing to be found.
   * @param found the client's answer to another Discover of `/`
   * @param servers its answer to Bootstrap-Read of `/1`, empty when it refuses that
   */
  correct(found: DiscoverAnswer, servers: readonly ObjectInstance[]): readonly BootstrapStep[];
}

/** A profile with everything worked out that does not depend on the device. */
export interface CompiledProfile {
  /** Whether a session begins with Bootstrap-Discover of `/`. A client that refuses it is bootstrapped all the same. */
  readonly discovers: boolean;
  /** The keys to be made on the spot and handed over before {@link plan} and {@link pack}. */
  readonly freshKeys: readonly FreshKeyWanted[];
  /**
   * The formats of writes in the order they are to be tried: the profile's, the client's, TLV, SenML CBOR, SenML JSON,
   * LwM2M CBOR; none twice.
   * @param clientFormat the Content-Format the client prefers (`pct`); one that objects cannot be written in is passed over
   */
  formats(clientFormat?: number): readonly number[];
  /**
   * What to send to `device`.
   * @throws ProfileMismatch when an attribute is missing or does not fit its resource, a fresh key is missing, or the
   * profile replaces the bootstrap account and the client does not show which instance that is
   */
  plan(device: DeviceFacts, context: PlanContext): BootstrapPlan;
  /**
   * The payload of a Bootstrap-Pack (LwM2M 1.2) for `device`, in SenML JSON, SenML CBOR or LwM2M CBOR; or "cannot",
   * when what the profile does cannot be said in one and the client is to use Bootstrap-Request (4.05).
   * @throws ProfileMismatch, UnsupportedContentFormat
   */
  pack(device: DeviceFacts, context: PackContext, format: number): Uint8Array | "cannot";
}
