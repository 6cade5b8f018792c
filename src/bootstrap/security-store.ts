/** A credential an LwM2M Server is to accept from now on. */
export interface SecurityEntry {
  readonly endpoint: string;
  /** PSK identity. */
  readonly identity: string;
  /** Pre-shared key. */
  readonly key: Uint8Array;
}

/**
 * Puts back what a security store held for an endpoint before a `put`. Calling it again does nothing, unless it was
 * rejected; then it tries again.
 */
export type Undo = () => Promise<void>;

/** Where an LwM2M Server keeps the credentials of its clients. */
export interface SecurityStore {
  /**
   * Makes the server accept `entry`, in the place of what it held for the endpoint. When it resolves the server has it.
   * Rejects with a BerthError that names neither keys nor identities; then the store is as it was, unless its code is
   * `security-store-left-open`: then it may have taken the key, and could not be asked to give it back.
   * @param signal ends the call early
   */
  put(entry: SecurityEntry, signal?: AbortSignal): Promise<Undo>;
}
