import type { ObjectInstance } from "./node.ts";

/** What a profile needs to know of a device: the values of its placeholders. */
export interface DeviceFacts {
  readonly endpoint: string;
  /** The device's row of the import file, by column name. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** One request of the bootstrap server to the device, in the order they are sent. */
export type BootstrapStep = { readonly kind: "delete"; readonly path: string } | BootstrapWrite | { readonly kind: "finish" };

/** A Bootstrap-Write of one Object Instance. */
export interface BootstrapWrite {
  readonly kind: "write";
  readonly path: string;
  readonly contentFormat: number;
  readonly payload: Uint8Array;
  /** What the payload holds, for writing it in another format when the client refuses this one. */
  readonly instance: ObjectInstance;
}

/** A profile with everything worked out that does not depend on the device. */
export interface CompiledProfile {
  /**
   * What to send to `device`: all deletes, then the writes of /0, /1, /2 and the others, then Finish.
   * @param clientFormat the Content-Format the client prefers (`pct`); used where the profile names none, and TLV where neither does
   * @throws ProfileMismatch when an attribute the profile needs is missing or does not fit its resource
   */
  steps(device: DeviceFacts, clientFormat?: number): BootstrapStep[];
}
