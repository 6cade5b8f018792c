import assert from "node:assert/strict";
import { test } from "node:test";
import { RegistryFenced, RegistryRefused, textData, textOf } from "../../src/dns/index.ts";
import { isOthers, mayTake, OwnerRecord, type TextRecord } from "../../src/registry/rfc2136-owner.ts";

const ZONE = "bs.example.com";
const OURS = { fleet: "fleet-a", term: 7 };
const text = (written: string): TextRecord => ({ ttl: 300, data: textData(written) });
const SPF = text("v=spf1 -all");

/** The texts of a prerequisite or a change, in their order. */
const words = (all: readonly object[]): readonly string[] =>
  all.flatMap((one) => ("data" in one ? [one.data].flat().map((data) => textOf(data as Uint8Array) ?? "") : []));

test("an update requires all TXT records of the zone's name as they were, with the owner record among them (RFC 2136 3.2.3)", () => {
  const record = new OwnerRecord([text("berth owner=fleet-a term=6 by=aa.0"), SPF], OURS, "bb.0");
  assert.deepEqual(words(record.beforeClaim), ["berth owner=fleet-a term=6 by=aa.0", "v=spf1 -all"]);
  assert.deepEqual(words(record.claim), ["berth owner=fleet-a term=6 by=aa.0", "berth owner=fleet-a term=7 by=bb.0"]);
  assert.deepEqual(
    record.claim.map(({ does, ttl }) => [does, ttl]),
    [
      ["delete", 300],
      ["add", 300],
    ],
  );
  assert.deepEqual(words(record.required), ["v=spf1 -all", "berth owner=fleet-a term=7 by=bb.0"]);
});

test("where there is no TXT record at all, that is what taking the zone requires", () => {
  const record = new OwnerRecord([], OURS, "bb.0");
  assert.deepEqual(
    record.beforeClaim.map(({ is }) => is),
    ["no-rrset"],
  );
  assert.equal(record.claim.length, 1);
});

test("the owner record is in the zone if it is the only one, whatever else is there", () => {
  const record = new OwnerRecord([SPF], OURS, "bb.0");
  const ours = text("berth owner=fleet-a term=7 by=bb.0");
  assert.ok(record.isIn([ours, SPF]));
  assert.ok(!record.isIn([SPF]));
  assert.ok(!record.isIn([ours, text("berth owner=fleet-a term=7 by=cc.0")]));
});

test("a zone may be taken from nobody, from an earlier reign and from this one, not from a later one or another fleet (R6)", () => {
  for (const before of [[], [SPF], [text("berth owner=fleet-a term=6 by=aa.0")], [text("berth owner=fleet-a term=7 by=aa.0")]]) {
    mayTake(ZONE, before, OURS);
  }
  assert.throws(() => mayTake(ZONE, [text("berth owner=fleet-a term=8 by=aa.0")], OURS), RegistryFenced);
  for (const foreign of ["berth owner=fleet-b term=1 by=aa.0", "berth owner=", "berth owner=fleet-a term=x by=y"]) {
    assert.throws(() => mayTake(ZONE, [SPF, text(foreign)], OURS), RegistryRefused, foreign);
  }
});

test("another balancer of the same reign is told from a former self", () => {
  assert.ok(isOthers([text("berth owner=fleet-a term=7 by=aa.3")], 7, "bb."));
  assert.ok(!isOthers([text("berth owner=fleet-a term=7 by=bb.3")], 7, "bb."));
  assert.ok(!isOthers([SPF, text("berth owner=fleet-a term=6 by=aa.3")], 7, "bb."));
});
