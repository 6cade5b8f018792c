import { createHmac } from "node:crypto";
import type { KeyedFunction } from "./function.ts";

/** HMAC-SHA-256 (RFC 2104, vectors in RFC 4231): the secret is the key, the parameters are the message. */
export const HMAC_SHA_256: KeyedFunction = {
  kind: "keyed",
  name: "hmac-sha-256",
  options: [],
  outputLength: () => 32,
  derive: (key, message) => new Uint8Array(createHmac("sha256", key).update(message).digest()),
};
