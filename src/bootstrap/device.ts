import type { Assignment } from "../control/index.ts";

/** A device this instance may serve. Kept small: an instance holds hundreds of thousands of them. */
export interface Device extends Assignment {
  /** The stream of assignments that named it last, see `DeviceDirectory`. */
  readonly generation: number;
}

const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({});

/** Takes over an assignment with as little memory as it can be. Keys stay hex: a short string is half a Buffer. */
export function deviceOf(given: Assignment, generation: number): Device {
  return {
    endpoint: given.endpoint,
    mode: given.mode,
    identity: given.identity === given.endpoint ? given.endpoint : given.identity,
    psk: given.psk,
    secret: given.secret,
    profile: given.profile,
    attributes: Object.keys(given.attributes).length === 0 ? NO_ATTRIBUTES : given.attributes,
    counter: given.counter,
    generation,
  };
}

/** The pre-shared key as the bytes DTLS wants; undefined where a device proves itself otherwise. */
export function pskOf({ psk }: Device): Uint8Array | undefined {
  return psk === undefined ? undefined : Buffer.from(psk, "hex");
}

/** The secret names are made of: one of its own, or the PSK (N7). */
export function nameSecretOf(device: Device): Uint8Array {
  return Buffer.from(device.secret ?? device.psk ?? "", "hex");
}
