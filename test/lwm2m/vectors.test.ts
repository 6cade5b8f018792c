import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  decodeContent,
  decodeDiscover,
  decodeSenmlPack,
  encodeContent,
  encodeDiscover,
  formatPath,
  parsePath,
  type ResourceType,
} from "../../src/lwm2m/index.ts";
import { definitions, toInstance, type VectorResources } from "./support.ts";

interface Bytes {
  readonly name: string;
  readonly source: string;
  readonly hex?: string;
  readonly text?: string;
}
interface Vectors {
  readonly content: readonly (Bytes & {
    readonly format: number;
    readonly path: string;
    /** False where Berth writes the same another way. */
    readonly same?: boolean;
    readonly types?: Readonly<Record<string, Readonly<Record<string, ResourceType>>>>;
    readonly instances: Readonly<Record<string, VectorResources>>;
  })[];
  readonly packs: readonly (Bytes & {
    readonly format: number;
    readonly records: readonly Readonly<Record<string, unknown>>[];
  })[];
  readonly discover: readonly (Bytes & {
    /** Whether this is also how Berth writes it. */
    readonly same: boolean;
    readonly answer: {
      readonly lwm2m?: string;
      readonly entries: readonly (Readonly<Record<string, unknown>> & { readonly path: string })[];
    };
  })[];
}

const vectors = JSON.parse(readFileSync("vectors/lwm2m.json", "utf8")) as Vectors;

function bytesOf({ hex, text }: Bytes): Uint8Array {
  return new Uint8Array(text === undefined ? Buffer.from(hex ?? "", "hex") : Buffer.from(text, "utf8"));
}

for (const row of vectors.content) {
  test(`${row.name} (${row.source}): reads${row.same === false ? "" : ", and writes the same bytes"}`, () => {
    const instances = Object.entries(row.instances).map(([path, resources]) => toInstance(path, resources));
    const path = parsePath(row.path);
    assert.deepEqual(decodeContent(row.format, path, bytesOf(row), definitions(row.types ?? {})), instances);
    if (row.same !== false) assert.deepEqual(encodeContent(row.format, path, instances), bytesOf(row));
  });
}

for (const row of vectors.packs) {
  test(`${row.name} (${row.source}): reads`, () => {
    const records = decodeSenmlPack(row.format, bytesOf(row)).map((record) => {
      return record.vd === undefined ? record : { ...record, vd: { hex: Buffer.from(record.vd).toString("hex") } };
    });
    assert.deepEqual(records, row.records);
  });
}

for (const row of vectors.discover) {
  test(`Discover answer of ${row.name} (${row.source})`, () => {
    const answer = decodeDiscover(bytesOf(row));
    const plain = { ...answer, entries: answer.entries.map((entry) => ({ ...entry, path: formatPath(entry.path) })) };
    assert.deepEqual(plain, row.answer);
    if (row.same) assert.deepEqual(encodeDiscover(answer), bytesOf(row));
    assert.deepEqual(decodeDiscover(encodeDiscover(answer)), answer);
  });
}
