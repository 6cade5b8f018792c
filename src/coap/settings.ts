import type { Milliseconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { isBlockSize, MAX_BLOCK_SIZE } from "./block.ts";
import { ACK_RANDOM_FACTOR, ACK_TIMEOUT, exchangeLifetime, MAX_RETRANSMIT } from "./constants.ts";
import type { CoapOptions } from "./types.ts";

/** {@link CoapOptions} with all defaults filled in. */
export interface Settings extends Required<CoapOptions> {
  readonly random: Random;
  readonly exchangeLifetime: Milliseconds;
}

/** A quarter of ACK_TIMEOUT: the acknowledgement arrives before the peer repeats its request, even over a slow network. */
const ACK_DELAY: Milliseconds = 500;
const TOKEN_LENGTH = 8;
const MAX_BODY = 65_536;
const MAX_BODIES = 1_000;
/** Two for each of 100,000 peers, with room. */
const MAX_REMEMBERED = 262_144;
const MAX_REMEMBERED_PER_PEER = 64;

/**
 * Fills in the defaults.
 * @throws InvalidInput naming the option and its value
 */
export function settingsOf(options: CoapOptions): Settings {
  const { ackTimeout = ACK_TIMEOUT, ackRandomFactor = ACK_RANDOM_FACTOR, maxRetransmit = MAX_RETRANSMIT } = options;
  const lifetime = exchangeLifetime(ackTimeout, ackRandomFactor, maxRetransmit);
  const settings: Settings = {
    random: options.random,
    ackTimeout,
    ackRandomFactor,
    maxRetransmit,
    exchangeLifetime: lifetime,
    ackDelay: options.ackDelay ?? ACK_DELAY,
    responseTimeout: options.responseTimeout ?? lifetime,
    tokenLength: options.tokenLength ?? TOKEN_LENGTH,
    blockSize: options.blockSize ?? MAX_BLOCK_SIZE,
    maxBody: options.maxBody ?? MAX_BODY,
    maxBodies: options.maxBodies ?? MAX_BODIES,
    maxRemembered: options.maxRemembered ?? MAX_REMEMBERED,
    maxRememberedPerPeer: options.maxRememberedPerPeer ?? MAX_REMEMBERED_PER_PEER,
  };
  check("ackTimeout", ackTimeout, ackTimeout > 0, "more than 0 ms");
  check("ackRandomFactor", ackRandomFactor, ackRandomFactor >= 1, "at least 1");
  check("maxRetransmit", maxRetransmit, Number.isInteger(maxRetransmit) && maxRetransmit >= 0, "a whole number from 0");
  const { tokenLength, blockSize, maxBodies, maxRemembered, maxRememberedPerPeer } = settings;
  check("tokenLength", tokenLength, [4, 5, 6, 7, 8].includes(tokenLength), "4 to 8 bytes");
  check("blockSize", blockSize, isBlockSize(blockSize), "16, 32, 64, 128, 256, 512 or 1024 bytes");
  check("maxBodies", maxBodies, maxBodies >= 1, "at least 1");
  check("maxRemembered", maxRemembered, maxRemembered >= 1, "at least 1");
  check("maxRememberedPerPeer", maxRememberedPerPeer, maxRememberedPerPeer >= 1, "at least 1");
  return settings;
}

function check(name: string, value: number, good: boolean, wanted: string): void {
  if (!good) throw new InvalidInput(`${name}: ${value} is not possible, it must be ${wanted}`);
}
