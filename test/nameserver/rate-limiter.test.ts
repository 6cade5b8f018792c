import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualClock } from "../../src/lib/clock.ts";
import { ALIKE, Networks, RateLimiter, type RateLimits, Source, type Verdict } from "../../src/nameserver/index.ts";

const LIMITS: RateLimits = { responses: 10, slip: 2, window: 5000 };
const NAME = Buffer.from("\x04four");
const OTHER = Buffer.from("\x05other");

/** A limiter under a clock, with short calls. */
class Bench {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly limiter: RateLimiter;

  constructor(limits: Partial<RateLimits> = {}, exempt: readonly string[] = []) {
    this.limiter = new RateLimiter({ ...LIMITS, ...limits }, new Networks(exempt), new Uint8Array(16).fill(3));
  }

  count(address: string, alike: number = ALIKE.MISSING, name: Uint8Array = NAME): Verdict {
    const length = alike === ALIKE.NAME ? name.length : 0;
    return this.limiter.count(new Source("udp").read(address), alike, name, length, this.clock.now());
  }

  /** How many of `queries` at this instant are sent, slip and are dropped. */
  burst(queries: number, address: string, alike?: number, name?: Uint8Array): Record<Verdict, number> {
    const verdicts = { send: 0, slip: 0, drop: 0 };
    for (let index = 0; index < queries; index++) verdicts[this.count(address, alike, name)]++;
    return verdicts;
  }
}

test("R2: of alike answers to one /24, those over the limit are held back, and every second of them slips", () => {
  const bench = new Bench();
  assert.deepEqual(bench.burst(30, "192.0.2.1"), { send: 10, slip: 10, drop: 10 });
  assert.equal(bench.count("192.0.2.250"), "drop");
  assert.equal(bench.count("192.0.3.1"), "send");
});

test("R2: IPv6 is told apart by /56", () => {
  const bench = new Bench();
  bench.burst(10, "2001:db8:0:1200::1");
  assert.notEqual(bench.count("2001:db8:0:12ff:ffff::9"), "send");
  assert.equal(bench.count("2001:db8:0:1300::1"), "send");
});

test("R2: names that exist are counted each for itself, those that do not and errors all together", () => {
  const bench = new Bench();
  assert.equal(bench.burst(20, "192.0.2.1", ALIKE.NAME, NAME).send, 10);
  assert.equal(bench.burst(20, "192.0.2.1", ALIKE.NAME, OTHER).send, 10);
  assert.equal(bench.burst(5, "192.0.2.1", ALIKE.MISSING, NAME).send, 5);
  assert.equal(bench.burst(20, "192.0.2.1", ALIKE.MISSING, OTHER).send, 5);
  assert.equal(bench.burst(20, "192.0.2.1", ALIKE.ERROR, OTHER).send, 10);
});

test("R2: slip 0 drops all, slip 1 none, and a limit of 0 is none", () => {
  assert.deepEqual(new Bench({ slip: 0 }).burst(30, "192.0.2.1"), { send: 10, slip: 0, drop: 20 });
  assert.deepEqual(new Bench({ slip: 1 }).burst(30, "192.0.2.1"), { send: 10, slip: 20, drop: 0 });
  assert.deepEqual(new Bench({ responses: 0 }).burst(30, "192.0.2.1"), { send: 30, slip: 0, drop: 0 });
});

test("R2: exempt networks have no limit", () => {
  const bench = new Bench({}, ["127.0.0.0/8", "2001:db8::/33", "192.0.2.7"]);
  for (const address of ["127.1.2.3", "2001:db8:7fff::1", "192.0.2.7"]) assert.equal(bench.burst(30, address).send, 30);
  for (const address of ["128.0.0.1", "2001:db8:8000::1", "192.0.2.8"]) assert.equal(bench.burst(30, address).send, 10);
});

test("R2: who stays under the rate is never limited", () => {
  const bench = new Bench();
  for (let index = 0; index < 1000; index++) {
    assert.equal(bench.count("192.0.2.1"), "send");
    bench.clock.advance(100);
  }
});

test("R2: after a flood its network is limited for as long as the flood was over the limit, at most for the window", () => {
  const short = new Bench();
  short.burst(30, "192.0.2.1"); // 20 too many: 2 s
  short.clock.advance(2000);
  assert.notEqual(short.count("192.0.2.1"), "send");
  short.clock.advance(200);
  assert.equal(short.count("192.0.2.1"), "send");
  const long = new Bench();
  long.burst(100_000, "192.0.2.1");
  long.clock.advance(5000);
  assert.notEqual(long.count("192.0.2.1"), "send");
  long.clock.advance(200);
  assert.equal(long.count("192.0.2.1"), "send");
});

test("R2: a clock that goes back gives and takes nothing", () => {
  const bench = new Bench();
  bench.burst(10, "192.0.2.1");
  bench.clock.advance(-3_600_000);
  assert.notEqual(bench.count("192.0.2.1"), "send");
  bench.clock.advance(200);
  assert.equal(bench.count("192.0.2.1"), "send");
});

test("R2: a flood of forged sources does not wash away the account of one that is limited", () => {
  const bench = new Bench();
  bench.burst(60, "192.0.2.1");
  for (let index = 0; index < 300_000; index++) bench.count(`${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.1`);
  assert.notEqual(bench.count("192.0.2.1"), "send");
});

test("R2: whatever comes in whatever order, a second has no more answers than the limit and one burst", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(3)), { maxLength: 300 }), (steps) => {
      const bench = new Bench();
      const sent: { readonly at: number; readonly from: number }[] = [];
      for (const [wait, from] of steps) {
        bench.clock.advance(wait % 50);
        if (bench.count(`192.0.${from}.1`) === "send") sent.push({ at: bench.clock.now(), from });
      }
      for (const { at, from } of sent) {
        const inSecond = sent.filter((other) => other.from === from && other.at >= at && other.at < at + 1000);
        assert.ok(inSecond.length <= 2 * LIMITS.responses);
      }
    }),
    { numRuns: 200 },
  );
});

test("what is no network is refused, and the error shows it", () => {
  for (const text of ["", "192.0.2.0/33", "::/129", "example.com", "192.0.2/24", "1.2.3.4/", "1.2.3.4/a"]) {
    assert.throws(() => new Networks([text]), { code: "invalid-input", message: new RegExp(`^"${text}" is no network`) });
  }
});

test("addresses are read as sockets write them", () => {
  const hex = (address: string): string => {
    const source = new Source("udp").read(address);
    return Buffer.from(source.bytes.subarray(0, source.length)).toString("hex");
  };
  assert.equal(hex("192.0.2.255"), "c00002ff");
  assert.equal(hex("::1"), `${"0".repeat(31)}1`);
  assert.equal(hex("::"), "0".repeat(32));
  assert.equal(hex("2001:db8::"), `20010db8${"0".repeat(24)}`);
  assert.equal(hex("fe80::abcd%eth0"), `fe80${"0".repeat(24)}abcd`);
  assert.equal(hex("::ffff:1.2.3.4"), `${"0".repeat(20)}ffff01020304`);
  assert.equal(hex("1::3:4:5:6:7:8"), "00010000000300040005000600070008");
  assert.equal(hex("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  assert.equal(new Source("udp").read("192.0.2.255").prefix(), "192.0.2.0/24");
  assert.equal(new Source("udp").read("2001:db8:1:12ff::1").prefix(), "2001:db8:1:1200::/56");
});

test("RFC 4291 2.2: any address of 16 bytes is read back", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      if (text.includes(".")) return;
      const source = new Source("udp").read(text);
      const groups = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
      const [head = [], tail = []] = groups;
      const all = groups.length === 1 ? head : [...head, ...new Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
      assert.equal(Buffer.from(source.bytes).toString("hex"), all.map((group) => group.padStart(4, "0").toLowerCase()).join(""));
    }),
  );
});
