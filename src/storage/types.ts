import type { AuditEntry, PastBootstrap, SecurityMode } from "../control/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";

/** What a device proves itself with, and what its name is derived from. Sealed in the database. */
export interface Credentials {
  /** Pre-shared key of the DTLS handshake, in mode `psk` and no other. */
  readonly psk?: Uint8Array;
  /** SubjectPublicKeyInfo in DER (RFC 5280, 4.1), in mode `rpk` and no other. No secret, but names may be made of it. */
  readonly publicKey?: Uint8Array;
  /** The secret of the naming recipe, where it is not the device's key (spec N7). */
  readonly secret?: Uint8Array;
  /** Extra columns of the import, for profiles to use. Sealed too, since a profile may write keys from them. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** One device as it is imported. */
export interface DeviceRecord extends Credentials {
  /** LwM2M endpoint client name; unique. */
  readonly endpoint: string;
  readonly mode: SecurityMode;
  /**
   * What its handshake has to prove; unique over all modes, so that none can be taken for another. The PSK identity; of
   * a raw public key its SHA-256 in lower-case hex; in the other modes the endpoint name.
   */
  readonly identity: string;
  /** Name of the bootstrap profile. */
  readonly profile: string;
  readonly group: string | null;
}

/** Where a device stands (spec B5, B13). A failure or a missed deadline is `pending` again, with `failure` set. */
export type DeviceState = "pending" | "commenced" | "completed";

/** What changes while a device bootstraps. All of it is written each time, so that nothing is left over by omission. */
interface DeviceProgress {
  readonly state: DeviceState;
  /** Cause of the last failure. */
  readonly failure: string | null;
  /** Id of the instance its name points at (home allocation). */
  readonly instance: string | null;
  /** Id of the bootstrap session in progress, or of the last one. */
  readonly session: string | null;
  readonly commencedAt: Instant | null;
  readonly completedAt: Instant | null;
  /** Sessions commenced so far. */
  readonly attempts: number;
  /** Sessions that failed or missed their deadline so far. */
  readonly failures: number;
  /** For recipes with a counter: how far the device has counted at least, and how many names from there on are withdrawn. */
  readonly counter: number;
  readonly skipped: number;
  readonly updatedAt: Instant;
}

/** A device without its keys: what a list may show. */
export interface DeviceStatus extends DeviceProgress {
  readonly endpoint: string;
  readonly mode: SecurityMode;
  readonly identity: string;
  readonly profile: string;
  readonly group: string | null;
}

/** A device with its credentials opened. */
export interface DeviceRow extends DeviceStatus, DeviceRecord {}

/** New progress of one device. */
export interface ProgressChange extends DeviceProgress {
  readonly endpoint: string;
  /** Sessions that ended with this change, the latest first: they go to the front of the device's history. */
  readonly ended?: readonly PastBootstrap[] | undefined;
}

/**
 * The highest notification of one run of an instance whose effect is stored. Written in the transaction of
 * that effect, so a repeated notification is recognised even after a crash.
 */
export interface NotificationMark {
  readonly instance: string;
  /** Names one run of the instance; its sequence numbers start again with each. */
  readonly bootId: string;
  readonly sequence: number;
  readonly updatedAt: Instant;
}

export interface Rejection {
  readonly endpoint: string;
  readonly reason: string;
}

export interface ImportResult {
  readonly inserted: number;
  readonly updated: number;
  readonly rejected: readonly Rejection[];
}

export interface PageOptions {
  /** Endpoint of the last row of the page before. */
  readonly after?: string;
  readonly limit: number;
  readonly state?: DeviceState;
}

export interface Devices {
  /**
   * Adds or updates devices, in one transaction. A known endpoint gets the new keys, profile and group and
   * keeps its state; of several rows with one endpoint the last counts. A row whose identity belongs to another
   * endpoint, or that breaks a limit, is rejected with a reason, and the rest goes in.
   */
  import(batch: readonly DeviceRecord[], now: Instant): Promise<ImportResult>;
  /** All devices in order of endpoint, `batchSize` at a time. */
  all(batchSize?: number): AsyncIterable<DeviceRow[]>;
  get(endpoint: string): Promise<DeviceRow | undefined>;
  /** A device's last bootstraps, the latest first; at most 8. */
  history(endpoint: string): Promise<PastBootstrap[]>;
  /** Devices in order of endpoint, without keys. */
  page(options: PageOptions): Promise<DeviceStatus[]>;
  countByState(): Promise<Record<DeviceState, number>>;
  /** Returns how many were there to be removed. */
  remove(endpoints: readonly string[]): Promise<number>;
  /**
   * Writes progress and marks in one transaction: all of it or none. Of several changes for one endpoint the last
   * counts; an endpoint that is not (or no longer) stored is passed over. A mark never goes down.
   * @returns how many devices were written
   */
  saveProgress(changes: readonly ProgressChange[], marks?: readonly NotificationMark[]): Promise<number>;
  /** All marks, to be read once at start. */
  marks(): Promise<NotificationMark[]>;
}

/** A bootstrap profile. Its body is sealed, since profiles carry keys of the LwM2M servers they announce. */
export interface StoredProfile {
  readonly name: string;
  /** 1 at first, one more with each change of the body. */
  readonly version: number;
  /** Any JSON value. */
  readonly body: unknown;
  readonly updatedAt: Instant;
}

export interface Profiles {
  /** Stores `body` under `name`; the version rises only if the body is another one than before. */
  put(name: string, body: unknown, now: Instant): Promise<StoredProfile>;
  get(name: string): Promise<StoredProfile | undefined>;
  all(): Promise<StoredProfile[]>;
}

/** A bootstrap server instance as the balancer remembers it over a restart. */
export interface StoredInstance {
  readonly id: string;
  readonly ipv4: string | null;
  /** An address, or a prefix such as `2001:db8:1:2::/64`. */
  readonly ipv6: string | null;
  /** The balancer's word for it, such as `up` or `lost`. */
  readonly state: string;
  readonly registeredAt: Instant;
  readonly lastSeen: Instant;
}

export interface Instances {
  put(instance: StoredInstance): Promise<void>;
  all(): Promise<StoredInstance[]>;
}

/** Small values by key, as JSON, in clear: never a secret. */
export interface Settings {
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<void>;
}

/** A page of the audit log: the newest entries, or those older than `before`. */
export interface AuditPageOptions {
  /** `id` of the last entry of the page before. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** What changed the fleet and why, the newest entries of it; in clear: never a name or a key. */
export interface AuditLog {
  /** Adds entries in their order; now and then the oldest beyond 10,000 are removed. */
  add(entries: readonly Omit<AuditEntry, "id">[]): Promise<void>;
  /** Entries, the newest first. */
  page(options: AuditPageOptions): Promise<AuditEntry[]>;
}

/** What came of trying to take a lease. */
export type LeaseTaking =
  /** It is ours. `term` counts its holders; `from` is the one before, if that did not give it back. */
  | { readonly taken: true; readonly term: number; readonly from: string | null }
  /** Another has it, for `left` ms if it is not renewed. */
  | { readonly taken: false; readonly holder: string; readonly left: Milliseconds };

/**
 * Leases: at most one holder each at any time, whatever the clocks of those who ask show, as the database's own decides. A
 * holder is any text that no other has.
 */
export interface Leases {
  /**
   * Takes a lease for `span` ms, unless another has it. Its term rises with each new holder, and never falls.
   * @param exclusive nobody else can be there, so who has it is gone
   */
  take(name: string, holder: string, span: Milliseconds, exclusive?: boolean): Promise<LeaseTaking>;
  /** Has it for `span` ms from now on. Returns false if it is another's. One that has run out, and that nobody took, is ours yet. */
  renew(name: string, holder: string, span: Milliseconds): Promise<boolean>;
  /** Gives it back, if it is ours. */
  release(name: string, holder: string): Promise<void>;
}

/** A lease as its holder has it. */
export interface HeldLease {
  readonly name: string;
  readonly holder: string;
  readonly term: number;
}

/** Berth's database. Every method rejects with a coded error, and then nothing of it was stored. */
export interface Storage {
  readonly devices: Devices;
  readonly profiles: Profiles;
  readonly instances: Instances;
  readonly settings: Settings;
  readonly audit: AuditLog;
  readonly leases: Leases;
  close(): Promise<void>;
}

/** The database itself, whoever asks. */
export interface OpenStorage extends Storage {
  /**
   * The same database as the holder of a lease changes it: what would be stored is rejected with `fenced` if another has the
   * lease when it is committed, however long it was under way. Who takes the lease therefore reads all that was ever stored before.
   */
  heldBy(lease: HeldLease): Storage;
}
