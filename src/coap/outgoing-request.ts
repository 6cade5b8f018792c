import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { ClientTransfer } from "./client-transfer.ts";
import type { Method } from "./constants.ts";
import type { PeerState } from "./peer-state.ts";
import type { Requester } from "./requester.ts";
import { Timer } from "./timers.ts";
import type { Transmission } from "./transmission.ts";
import type { CoapPeer, CoapRequest, OnResult } from "./types.ts";

/** A request of ours, waiting or under way; as a timer, the wait for a separate response. */
export class OutgoingRequest<Peer extends CoapPeer> extends Timer {
  readonly state: PeerState<Peer>;
  readonly method: Method;
  readonly timeout: Milliseconds | undefined;
  readonly transfer: ClientTransfer;
  readonly onResult: OnResult;
  /** The token a response must bear; undefined while none is expected. */
  token: Buffer | undefined = undefined;
  /** The message that was sent last. */
  transmission: Transmission<Peer> | undefined = undefined;
  done = false;
  /** When it is given up, set with its first message. */
  giveUpAt: Instant = Number.POSITIVE_INFINITY;
  readonly #requester: Requester<Peer>;

  constructor(
    requester: Requester<Peer>,
    state: PeerState<Peer>,
    { method, timeout }: CoapRequest,
    transfer: ClientTransfer,
    onResult: OnResult,
  ) {
    super();
    this.#requester = requester;
    this.state = state;
    this.method = method;
    this.timeout = timeout;
    this.transfer = transfer;
    this.onResult = onResult;
  }

  expire(now: Instant): void {
    this.#requester.finish(this, { failure: "timeout" }, now);
  }
}
