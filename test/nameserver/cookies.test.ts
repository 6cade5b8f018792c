import assert from "node:assert/strict";
import { test } from "node:test";
import type { Packet, PacketOpt } from "dns-packet";
import fc from "fast-check";
import { VirtualClock } from "../../src/lib/clock.ts";
import {
  type CookieVerdict,
  dailySecrets,
  LIMITS,
  Networks,
  RateLimiter,
  type Responder,
  ServerCookies,
  SipHash,
  Source,
} from "../../src/nameserver/index.ts";
import { newResponder, queryBytes, type Reading, reading, TCP, UDP, ZONE } from "./fixture.ts";

const HOUR = 3_600_000;
const CLIENT = "2464c4abcf10c957";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

/** The cookies of a server with one secret for ever. */
function cookiesOf(secret: string): ServerCookies {
  return new ServerCookies(() => bytes(secret));
}

function made(cookies: ServerCookies, client: string, address: string, at: number): string {
  const out = new Uint8Array(24);
  cookies.write(bytes(client), 0, new Source("udp").read(address), 1000 * at, out, 0);
  return Buffer.from(out).toString("hex");
}

function checked(cookies: ServerCookies, cookie: string, address: string, at: number): CookieVerdict {
  return cookies.check(bytes(cookie), 0, cookie.length / 2, new Source("udp").read(address), 1000 * at);
}

test("SipHash-2-4: the vectors of its authors for bytes that count up", () => {
  // vectors_sip64 of the reference implementation.
  const vectors = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    15: "e545be4961ca29a1",
  };
  const hash = new SipHash(Uint8Array.from({ length: 16 }, (_, index) => index));
  const message = Uint8Array.from({ length: 64 }, (_, index) => index);
  for (const [length, expected] of Object.entries(vectors)) {
    const out = new Uint8Array(8);
    hash.hash(message, Number(length), out, 0);
    assert.equal(Buffer.from(out).toString("hex"), expected);
  }
});

test("RFC 9018 A.1, A.2: a client learns a server cookie, and a new one 40 minutes later", () => {
  const cookies = cookiesOf("e5e973e5a6b2a43f48e7dc849e37bfcf");
  const first = made(cookies, CLIENT, "198.51.100.100", 1_559_731_985);
  assert.equal(first, "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  assert.equal(checked(cookies, first, "198.51.100.100", 1_559_734_385), "valid");
  assert.equal(made(cookies, CLIENT, "198.51.100.100", 1_559_734_385), "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
});

test("RFC 9018 A.3: the reserved bytes of another server are part of what is checked, and zero in ours", () => {
  const cookies = cookiesOf("e5e973e5a6b2a43f48e7dc849e37bfcf");
  const theirs = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
  assert.equal(checked(cookies, theirs, "203.0.113.203", 1_559_727_985), "valid");
  assert.equal(made(cookies, theirs, "203.0.113.203", 1_559_734_700), "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
});

test("RFC 9018 A.4: IPv6, and a secret that was changed", () => {
  const address = "2001:db8:220:1:59de:d0f4:8769:82b8";
  const old = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
  assert.equal(checked(cookiesOf("dd3bdf9344b678b185a6f5cb60fca715"), old, address, 1_559_741_961), "valid");
  const current = cookiesOf("445536bcd2513298075a5d379663c962");
  assert.equal(checked(current, old, address, 1_559_741_961), "wrong");
  assert.equal(made(current, old, address, 1_559_741_961), "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
});

test("RFC 9018 4.3: a cookie holds for an hour, and may be five minutes ahead of our clock", () => {
  const at = 1_700_000_000;
  const cookies = cookiesOf("00".repeat(16));
  const cookie = made(cookies, CLIENT, "192.0.2.1", at);
  for (const [later, verdict] of [
    [3600, "valid"],
    [3601, "wrong"],
    [-300, "valid"],
    [-301, "wrong"],
  ] as const) {
    assert.equal(checked(cookies, cookie, "192.0.2.1", at + later), verdict);
  }
  // RFC 1982: across the end of 32 bits.
  const end = 2 ** 32 - 10;
  assert.equal(checked(cookies, made(cookies, CLIENT, "192.0.2.1", end), "192.0.2.1", end + 20), "valid");
});

test("RFC 7873 5.2: a cookie is of one client at one address; none of its bits may differ", () => {
  const cookies = cookiesOf("00".repeat(16));
  const cookie = made(cookies, CLIENT, "192.0.2.1", 0);
  assert.equal(checked(cookies, cookie, "192.0.2.2", 0), "wrong");
  assert.equal(checked(cookies, CLIENT, "192.0.2.1", 0), "none");
  for (let bit = 0; bit < 192; bit++) {
    const spoilt = bytes(cookie);
    spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(checked(cookies, Buffer.from(spoilt).toString("hex"), "192.0.2.1", 0), "wrong");
  }
});

test("RFC 7873 7.1: the secret changes daily, and the one before is known for as long as its cookies are", () => {
  const source = new Source("udp").read("192.0.2.1");
  const clock = new VirtualClock(0);
  const cookies = new ServerCookies(dailySecrets(new Uint8Array(16)));
  const make = (): Uint8Array => {
    const out = new Uint8Array(24);
    cookies.write(bytes(CLIENT), 0, source, clock.now(), out, 0);
    return out;
  };
  const check = (cookie: Uint8Array): CookieVerdict => cookies.check(cookie, 0, 24, source, clock.now());
  clock.set(24 * HOUR - 1000);
  const before = make();
  clock.advance(2000);
  assert.equal(check(before), "valid");
  assert.notDeepEqual(make().subarray(16), before.subarray(16));
  clock.advance(HOUR - 2000);
  assert.equal(check(before), "valid");
  const other = new ServerCookies(dailySecrets(new Uint8Array(16)));
  assert.equal(other.check(before, 0, 24, source, clock.now()), "valid");
  clock.advance(72 * HOUR);
  assert.equal(check(make()), "valid");
  assert.equal(check(before), "wrong");
});

/** A query with OPT and these options. */
function asking(
  name: string,
  options: readonly { readonly code: number; readonly hex: string }[],
  type: "A" | "NS" = "A",
): Uint8Array {
  const more: Packet = {
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: options.map(({ code, hex }) => ({ code, data: Buffer.from(hex, "hex") }) as PacketOpt),
      },
    ],
  };
  return queryBytes(name, type, more);
}

/** An answer with its response code whole, and its options by code. */
function read(answer: Uint8Array | undefined): Reading & { readonly code: number; readonly options: Record<number, string> } {
  assert.ok(answer, "there is no answer");
  const whole = reading(answer);
  const opt = whole.packet.additionals?.find(({ type }) => type === "OPT");
  const all = opt?.type === "OPT" ? opt : undefined;
  return {
    ...whole,
    code: ((all?.extendedRcode ?? 0) << 4) | ((answer[3] ?? 0) & 15),
    options: Object.fromEntries(
      (all?.options ?? []).map((one) => [one.code, Buffer.from(("data" in one && one.data) || []).toString("hex")]),
    ),
  };
}

const COOKIE = 10;
const KEEPALIVE = 11;

function learned(responder: Responder): string {
  const cookie = read(responder.answer(asking("four.bs.example.com", [{ code: COOKIE, hex: CLIENT }]), UDP, 0)).options[COOKIE];
  assert.match(cookie ?? "", new RegExp(`^${CLIENT}01000000`));
  return cookie ?? "";
}

test("RFC 7873 5.2.3, 5.2.4: who sends a cookie gets one with the answer, valid or not; who sends none gets none", () => {
  const responder = newResponder();
  const cookie = learned(responder);
  for (const hex of [cookie, `${cookie.slice(0, -2)}00`, `${CLIENT}${"ab".repeat(8)}`, `${CLIENT}${"ab".repeat(32)}`]) {
    const answer = read(responder.answer(asking("four.bs.example.com", [{ code: COOKIE, hex }]), UDP, 0));
    assert.deepEqual([answer.rcode, answer.answer.length, answer.options[COOKIE]], ["NOERROR", 1, cookie]);
  }
  assert.equal(responder.stats.badCookies, 3);
  assert.deepEqual(read(responder.answer(asking("four.bs.example.com", []), UDP, 0)).options, {});
});

test("RFC 7873 5.2.2, RFC 6891 7: a cookie of an impossible length is FORMERR, with OPT", () => {
  const responder = newResponder();
  for (const length of [0, 1, 7, 9, 15, 41]) {
    const answer = read(responder.answer(asking("four.bs.example.com", [{ code: COOKIE, hex: "ab".repeat(length) }]), UDP, 0));
    assert.deepEqual([answer.rcode, answer.answer, answer.packet.additionals?.length], ["FORMERR", [], 1]);
  }
});

test("RFC 6891 6.1.2: options that run over the end of OPT are FORMERR, unknown ones are passed over", () => {
  const responder = newResponder();
  const cut = asking("four.bs.example.com", [{ code: 65_001, hex: "abcdef" }]);
  cut[cut.length - 4] = 9;
  assert.equal(read(responder.answer(cut, UDP, 0)).rcode, "FORMERR");
  const several = asking("four.bs.example.com", [
    { code: 65_001, hex: "abcd" },
    { code: COOKIE, hex: CLIENT },
    { code: COOKIE, hex: "0102030405060708" },
  ]);
  assert.match(read(responder.answer(several, UDP, 0)).options[COOKIE] ?? "", new RegExp(`^${CLIENT}`));
});

test("RFC 7873 5.4: a query without question asks for a cookie, or whether one is right", () => {
  const responder = newResponder();
  const bare = (hex: string): Uint8Array => {
    const whole = asking("four.bs.example.com", [{ code: COOKIE, hex }]);
    const opt = whole.subarray(12 + "four.bs.example.com".length + 2 + 4);
    const bytes = Buffer.concat([whole.subarray(0, 12), opt]);
    bytes.writeUInt16BE(0, 4);
    return bytes;
  };
  const first = read(responder.answer(bare(CLIENT), UDP, 0));
  assert.deepEqual([first.code, first.answer, first.authority], [0, [], []]);
  const cookie = first.options[COOKIE] ?? "";
  assert.equal(read(responder.answer(bare(cookie), UDP, 0)).code, 0);
  assert.equal(read(responder.answer(bare(`${cookie.slice(0, -2)}00`), UDP, 0)).code, 23);
  const none = bare(CLIENT).subarray(0, 12);
  none[11] = 0;
  assert.equal(read(responder.answer(none, UDP, 0)).rcode, "FORMERR");
});

test("RFC 7828 3.2.2: who asks how long a connection may be idle is told over TCP, in 100 ms; over UDP not", () => {
  const responder = newResponder();
  const query = asking("four.bs.example.com", [{ code: KEEPALIVE, hex: "" }]);
  assert.equal(read(responder.answer(query, UDP, 0)).packet.additionals?.length, 1);
  const raw = Buffer.from(responder.answer(query, TCP, 0) ?? []).toString("hex");
  assert.match(raw, /000b00020064$/);
  assert.doesNotMatch(Buffer.from(responder.answer(query, UDP, 0) ?? []).toString("hex"), /000b0002/);
});

function limited(responses = 5): Responder {
  return newResponder(ZONE, { limiter: new RateLimiter({ ...LIMITS, responses }, new Networks([]), new Uint8Array(16)) });
}

test("R2: over the limit each second answer says TC and is empty; over TCP there is no limit", () => {
  const responder = limited();
  const ask = (from: Source): Uint8Array | undefined => responder.answer(queryBytes("none.bs.example.com", "A"), from, 0);
  for (let index = 0; index < 5; index++) assert.equal(read(ask(UDP)).rcode, "NXDOMAIN");
  assert.equal(ask(UDP), undefined);
  const slipped = ask(UDP);
  assert.deepEqual(
    [read(slipped).tc, read(slipped).authority, slipped?.length],
    [true, [], queryBytes("none.bs.example.com", "A").length],
  );
  for (let index = 0; index < 50; index++) assert.equal(read(ask(TCP)).rcode, "NXDOMAIN");
  assert.deepEqual([responder.stats.rateLimited, responder.stats.slipped], [1, 1]);
});

test("R2: errors over the limit leak as they are, as short as the query; a live name is not limited by what is made up", () => {
  const responder = limited();
  const sizes = Array.from({ length: 25 }, () => responder.answer(queryBytes("example.org", "A"), UDP, 0)?.length ?? 0);
  assert.deepEqual(sizes.slice(5).filter((size) => size > 0).length, 10);
  assert.equal(Math.max(...sizes), queryBytes("example.org", "A").length);
  for (let index = 0; index < 50; index++) responder.answer(queryBytes(`x${index}.bs.example.com`, "A"), UDP, 0);
  for (const name of ["four", "six", "both"]) {
    assert.equal(read(responder.answer(queryBytes(`${name}.bs.example.com`, "A"), UDP, 0)).tc, false);
  }
});

test("RFC 7873 5.2.3: over the limit BADCOOKIE gives a client the cookie with which it is not limited", () => {
  const responder = limited();
  const ask = (hex: string): Uint8Array | undefined =>
    responder.answer(asking("none.bs.example.com", [{ code: COOKIE, hex }]), UDP, 0);
  for (let index = 0; index < 6; index++) ask(CLIENT);
  const bad = read(ask(CLIENT));
  assert.deepEqual([bad.code, bad.tc, bad.authority, bad.aa], [23, false, [], false]);
  for (let index = 0; index < 50; index++) assert.equal(read(ask(bad.options[COOKIE] ?? "")).rcode, "NXDOMAIN");
  assert.equal(ask(`${bad.options[COOKIE]?.slice(0, -2)}00`), undefined);
});

test("no amplification: without a cookie an answer has at most 512 bytes and no glue; with one, up to 1232", () => {
  const nameservers = Array.from({ length: 13 }, (_, index) => ({
    host: `${"n".repeat(50)}${index}.bs.example.com`,
    ipv4: "192.0.2.53",
  }));
  const responder = newResponder({ ...ZONE, nameservers });
  const plain = responder.answer(asking("bs.example.com", [], "NS"), UDP, 0);
  assert.deepEqual([read(plain).tc, read(plain).answer.length], [true, 0]);
  const cookie = learned(responder);
  const proven = read(responder.answer(asking("bs.example.com", [{ code: COOKIE, hex: cookie }], "NS"), UDP, 0));
  assert.deepEqual([proven.tc, proven.answer.length, proven.additional.length > 0], [false, 13, true]);
});

test("no amplification: what anybody can ask for is at most three times as long as the question", () => {
  const responder = newResponder();
  const names = ["bs.example.com", "ns1.bs.example.com", "four.bs.example.com", "none.bs.example.com", "example.org"];
  for (const name of names) {
    for (const type of ["A", "AAAA", "NS", "SOA", "TXT", "DNSKEY", 255] as const) {
      const query = queryBytes(name, type);
      const factor = (responder.answer(query, UDP, 0)?.length ?? 0) / query.length;
      assert.ok(factor < 3, `${name} ${type}: ${factor}`);
    }
  }
});

test("RFC 9267: whatever stands in OPT gets an answer that dns-packet can read, no longer than the limit", () => {
  const responder = newResponder();
  const option = fc.record({
    code: fc.oneof(fc.constantFrom(COOKIE, KEEPALIVE), fc.nat(0xffff)),
    data: fc.uint8Array({ maxLength: 45 }),
  });
  const changes = fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(option, { maxLength: 4 }), changes, fc.constantFrom(UDP, TCP), (options, changed, from) => {
      const hexed = options.map(({ code, data }) => ({ code, hex: Buffer.from(data).toString("hex") }));
      const message = asking("four.bs.example.com", hexed);
      for (const [at, value] of changed) if (at < message.length) message[at] = value;
      const answer = responder.answer(message, from, 0);
      if (answer === undefined) return;
      assert.equal(read(answer).packet.flag_qr, true);
      assert.ok(answer.length <= 512);
    }),
    { numRuns: 3000 },
  );
});
