import {
  type Message,
  rcodeName,
  readMessage,
  readTsig,
  signTsig,
  TsigError,
  type TsigKey,
  verifyTsig,
} from "../../dns/index.ts";
import type { Clock, Milliseconds } from "../../lib/clock.ts";
import type { Asker } from "./asker.ts";
import type { CheckedServer } from "./context.ts";

/**
 * What became of a signed message: an answer whose signature holds, and how far this host's clock is ahead of the server's; a
 * refusal by TSIG; or an answer that is not signed.
 */
export type SignedOutcome =
  | { readonly is: "answered"; readonly answer: Message; readonly ahead: Milliseconds }
  | { readonly is: "bad-key" | "bad-signature"; readonly words: string }
  | { readonly is: "bad-time"; readonly ahead: Milliseconds | undefined }
  | { readonly is: "unsigned"; readonly rcode: string };

/** Sends a message signed, and tells the ways apart in which it can fail (RFC 8945 section 5.2). @throws DnsFailure */
export async function sendSigned(
  asker: Asker,
  server: CheckedServer,
  message: Uint8Array,
  key: TsigKey,
  clock: Clock,
): Promise<SignedOutcome> {
  const { message: signed, mac } = signTsig(message, key, clock.now());
  const bytes = await asker.send(server, signed);
  const record = readTsig(bytes);
  if (record === undefined) return { is: "unsigned", rcode: rcodeName(readMessage(bytes).rcode) };
  try {
    const { stripped } = verifyTsig(bytes, key, clock.now(), { mac });
    return { is: "answered", answer: readMessage(stripped), ahead: clock.now() - record.time * 1000 };
  } catch (error) {
    if (!(error instanceof TsigError)) throw error;
    if (error.code !== "bad-time") return { is: error.code, words: error.message };
    const { serverTime } = error;
    return { is: "bad-time", ahead: serverTime === undefined ? undefined : clock.now() - serverTime };
  }
}
