import { CLASS_IN, EDNS_UDP_SIZE, FLAG, type Message, MessageBuilder, readMessage, soaSerial, TYPE } from "../../dns/index.ts";
import type { Random } from "../../lib/random.ts";
import { DnsFailure, type DnsServer } from "../../net/index.ts";

/** What carries one message to a server, and its answer back. Rejects with {@link DnsFailure}. */
export interface Carrier {
  udp(server: DnsServer, message: Uint8Array): Promise<Uint8Array>;
  tcp(server: DnsServer, message: Uint8Array): Promise<Uint8Array>;
}

/** What is asked of a server. */
export interface Asked {
  /** Wire form with the root's zero, in any case. */
  readonly name: Uint8Array;
  readonly type: number;
  /** Further flags of the header, such as RD or CD. */
  readonly flags?: number;
  /** With an OPT record (RFC 6891); `dnssec` sets its DO bit (RFC 3225). */
  readonly edns?: "plain" | "dnssec" | undefined;
  /** Over TCP from the start; else over UDP, and over TCP what UDP cuts off. */
  readonly tcp?: boolean;
}

/** DO among the flags of OPT (RFC 3225 section 3), which stand where another record has its TTL. */
const DNSSEC_OK_TTL = 0x8000;
/** CD of the header: a resolver is not to validate (RFC 4035 section 3.2.2). */
export const CHECKING_DISABLED = 0x0010;
/** RA: the server looks elsewhere for those who ask (RFC 1035 section 4.1.1). */
export const RECURSION_AVAILABLE = 0x0080;

/** Asks servers what the checks want to know. A datagram that is lost is sent once more. */
export class Asker {
  readonly #carrier: Carrier;
  readonly #random: Random;

  constructor(carrier: Carrier, random: Random) {
    this.#carrier = carrier;
    this.#random = random;
  }

  /** @throws DnsFailure, MalformedMessage */
  async ask(server: DnsServer, asked: Asked): Promise<Message> {
    return readMessage(await this.bytes(server, asked));
  }

  /** As {@link ask}, the answer as bytes. @throws DnsFailure */
  async bytes(server: DnsServer, { name, type, flags = 0, edns, tcp = false }: Asked): Promise<Uint8Array> {
    const builder = new MessageBuilder({ id: this.newId(), flags }).question(name, type);
    if (edns !== undefined) {
      const ttl = edns === "dnssec" ? DNSSEC_OK_TTL : 0;
      const opt = { name: Uint8Array.of(0), type: TYPE.OPT, class: EDNS_UDP_SIZE, ttl, data: new Uint8Array(0) };
      builder.record("additional", opt);
    }
    const message = builder.finish();
    if (tcp) return this.#carrier.tcp(server, message);
    const answer = await this.send(server, message);
    return (((answer[2] as number) << 8) & FLAG.TRUNCATED) === 0 ? answer : this.#carrier.tcp(server, message);
  }

  /** Sends any message over UDP, and gives the answer. @throws DnsFailure */
  async send(server: DnsServer, message: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#carrier.udp(server, message);
    } catch (error) {
      if (!(error instanceof DnsFailure) || error.code !== "timeout") throw error;
      return this.#carrier.udp(server, message);
    }
  }

  /** An id for a message. */
  newId(): number {
    const [high = 0, low = 0] = this.#random.bytes(2);
    return (high << 8) | low;
  }

  /** A label that nobody has: 20 random letters. */
  madeUpLabel(): Uint8Array {
    return Uint8Array.from([20, ...this.#random.bytes(20).map((byte) => 0x61 + (byte % 26))]);
  }
}

/** The zone's serial in an answer to a question for its SOA; undefined if it has none. */
export function serialIn(message: Message): number | undefined {
  const soa = message.answers.find(({ type, class: rrClass }) => type === TYPE.SOA && rrClass === CLASS_IN);
  return soa === undefined ? undefined : soaSerial(soa);
}

export function isAuthoritative({ flags }: Message): boolean {
  return (flags & FLAG.AUTHORITATIVE) !== 0;
}

/** A name in wire form as text. */
export function nameText(name: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; (name[at] ?? 0) > 0; at += 1 + (name[at] as number)) {
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + (name[at] as number))).toString("latin1"));
  }
  return labels.length === 0 ? "." : labels.join(".");
}

/** A label, or several, in front of a name. */
export function within(labels: Uint8Array, name: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([labels, name]));
}

/** The address in the data of an A or AAAA record, as text. */
export function addressText(data: Uint8Array): string {
  if (data.length === 4) return data.join(".");
  const groups = Array.from({ length: data.length / 2 }, (_, index) =>
    (((data[2 * index] as number) << 8) | (data[2 * index + 1] as number)).toString(16),
  );
  // URL writes it short (RFC 5952).
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
