import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { describe, test } from "node:test";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { type ImportFormat, type ImportRow, readDevices } from "../../src/storage/index.ts";
import { chunks, collect } from "./samples.ts";

const PSK = "00112233445566778899aabbccddeeff";

function read(text: string | Uint8Array, format: ImportFormat = "csv", chunkSize = 7): Promise<ImportRow[]> {
  return collect(readDevices(chunks(text, chunkSize), format));
}

/** Rows in short: `line endpoint` or `line error`. */
async function outline(text: string | Uint8Array, format: ImportFormat = "csv"): Promise<string[]> {
  return (await read(text, format)).map((row) => `${row.line} ${"device" in row ? row.device.endpoint : row.error}`);
}

describe("CSV", () => {
  test("columns are found by name; identity and group have defaults; others are attributes", async () => {
    const text = `Endpoint,site,PSK,identity,secret,profile,group\nurn:1,Köln,${PSK},,,,\nurn:2,,${PSK},id-2,${PSK}${PSK},meter,north\n`;
    const psk = Buffer.from(PSK, "hex");
    assert.deepEqual(
      (await read(text)).map((row) => ("device" in row ? { ...row.device, psk: Buffer.from(row.device.psk ?? []) } : row)),
      [
        { endpoint: "urn:1", mode: "psk", identity: "urn:1", group: null, psk, attributes: { site: "Köln" } },
        {
          endpoint: "urn:2",
          mode: "psk",
          identity: "id-2",
          profile: "meter",
          group: "north",
          psk,
          secret: new Uint8Array(Buffer.concat([psk, psk])),
          attributes: {},
        },
      ],
    );
  });

  test("line ends, byte order mark, empty lines, quotes and spaces are read as spreadsheets write them", async () => {
    const text = `\ufeffendpoint, psk ,note\r\n\r\n"urn:""1""",${PSK},"a, b"\r\n , ,\r\n  urn:2 ,"${PSK}",\r\nurn:3,${PSK},"two\r\nlines"\r\nurn:4,${PSK},x`;
    for (const size of [1, 2, 3, 64, 4096]) {
      const rows = await read(text, "csv", size);
      assert.deepEqual(
        rows.map((row) => ("device" in row ? [row.line, row.device.endpoint, row.device.attributes] : row)),
        [
          [3, 'urn:"1"', { note: "a, b" }],
          [5, "urn:2", {}],
          [6, "urn:3", { note: "two\nlines" }],
          [8, "urn:4", { note: "x" }],
        ],
      );
    }
  });

  test("a bad row is told with its line and reason, and the rows around it are read", async () => {
    const rows = [
      "endpoint,psk,identity,profile,group",
      `ok-1,${PSK},,,`,
      `short,${PSK}`,
      `long,${PSK},,,,x`,
      `,${PSK},,,`,
      `odd,${PSK}0,,,`,
      `letters,${PSK}zz,,,`,
      "none,,,,",
      "weak,00112233445566778899aabbccddee,,,",
      `big,${"00".repeat(65)},,,`,
      `${"e".repeat(253)},${PSK},,,`,
      `${"é".repeat(127)},${PSK},,,`,
      `identity,${PSK},${"i".repeat(129)},,`,
      `bell\u0007,${PSK},,,`,
      `profile,${PSK},,${"p".repeat(129)},`,
      `group,${PSK},,,${"g".repeat(129)}`,
      `a"b,${PSK},,,`,
      `"c"d,${PSK},,,`,
      `${"e".repeat(252)},${PSK},${"i".repeat(128)},,`,
      `ok-2,${PSK},,,"x`,
      `y"`,
      `ok-3,${PSK},,,`,
    ];
    assert.deepEqual(await outline(rows.join("\n")), [
      "2 ok-1",
      "3 the row has 2 fields, the header has 5",
      "4 the row has 6 fields, the header has 5",
      "5 endpoint is empty",
      "6 psk: hex needs an even number of digits, got 33",
      "7 psk: only the hex digits 0-9 and a-f are allowed",
      "8 psk is missing; a device without one has a public key, or says that its mode is x509 or nosec",
      "9 psk has 15 bytes, at least 16 are needed",
      "10 psk has 65 bytes, at most 64 are allowed",
      "11 endpoint has 253 bytes, at most 252 are allowed",
      "12 endpoint has 254 bytes, at most 252 are allowed",
      "13 identity has 129 bytes, at most 128 are allowed",
      "14 endpoint holds a control character",
      "15 profile has 129 bytes, at most 128 are allowed",
      "16 group has 129 bytes, at most 128 are allowed",
      "17 field 1: a quote stands inside a field that does not begin with one",
      "18 field 1: text follows a closing quote",
      `19 ${"e".repeat(252)}`,
      "20 group holds a control character",
      "22 ok-3",
    ]);
  });

  test("a stray quote says how many lines it took in", async () => {
    const text = `endpoint,psk\nurn:1,"${PSK}\nurn:2,${PSK}\nurn:3,"${PSK}"\nurn:4,${PSK}\n`;
    assert.deepEqual(await outline(text), [
      "2 field 2: text follows a closing quote (a quoted field took in lines 2 to 4)",
      "5 urn:4",
    ]);
  });

  test("bytes that are not UTF-8 spoil their line only", async () => {
    const text = Buffer.concat([Buffer.from(`endpoint,psk\nurn:`), Buffer.from([0xff]), Buffer.from(`,${PSK}\nurn:2,${PSK}`)]);
    assert.deepEqual(await outline(text), ["2 the line is not UTF-8 text", "3 urn:2"]);
  });

  test("a file without a usable header is refused as a whole", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /the file is empty/],
      ["\n\n", /the file is empty/],
      [`urn:1,${PSK}\n`, /line 1 must name the columns: "endpoint" is missing/],
      ["endpoint;psk\n", /"endpoint" is missing; fields are separated by commas/],
      ["endpoint,secret\n", /"psk" is missing, or "public_key" or "mode"/],
      ["endpoint,psk,Endpoint\n", /"endpoint" stands twice/],
      ["endpoint,psk,\n", /column 3 has no name/],
      ['"endpoint"x,psk\n', /line 1: field 1: text follows a closing quote; the first line must name the columns/],
    ];
    for (const [text, message] of cases) await assert.rejects(read(text), { code: "invalid-input", message });
  });

  test("records agree with csv-parse on random tables", async () => {
    const cell = fc
      .string({ unit: fc.constantFrom("a", "é", " ", ",", '"', "\n", "\r\n", "x"), maxLength: 6 })
      .map((text) => text.trim());
    const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { maxLength: 12 }),
        fc.integer({ min: 1, max: 50 }),
        async (cells, size) => {
          const text = [
            "endpoint,psk,a,b",
            ...cells.map(([a, b], index) => `urn:${index},${PSK},${quoted(a)},${quoted(b)}`),
          ].join("\n");
          const ours = (await read(text, "csv", size)).map((row) => ("device" in row ? row.device.attributes : row.error));
          const records = parse(text, { columns: true, record_delimiter: "\n" }) as Record<string, string>[];
          const theirs = records.map(({ endpoint: _endpoint, psk: _psk, ...rest }) =>
            Object.fromEntries(
              Object.entries(rest).flatMap(([name, value]) => (value === "" ? [] : [[name, value.replaceAll("\r\n", "\n")]])),
            ),
          );
          assert.deepEqual(ours, theirs);
        },
      ),
    );
  });
});

describe("NDJSON", () => {
  const row = (fields: object): string => JSON.stringify({ endpoint: "urn:1", psk: PSK, ...fields });

  test("one object a line, with attributes of their own", async () => {
    const [first] = await read(
      `\ufeff${row({ identity: "i", group: "g", profile: "p", secret: PSK, attributes: { __proto__: 1, a: "1" } })}\r\n`,
      "ndjson",
    );
    assert.ok(first !== undefined && "device" in first);
    assert.deepEqual(
      [first.device.identity, first.device.group, first.device.profile, first.device.attributes],
      ["i", "g", "p", { a: "1" }],
    );
    assert.deepEqual(first.device.secret, first.device.psk);
  });

  test("a bad line is told with its number and reason, never with its key", async () => {
    const lines = [
      row({}),
      `{"endpoint":"urn:2","psk":"${PSK}"`,
      "",
      "[]",
      row({ PSK }),
      row({ attributes: { pin: 1234 } }),
      row({ psk: 99887766 }),
      row({ endpoint: "\ud800" }),
      "null",
      row({ endpoint: "urn:9" }),
    ];
    const found = await outline(lines.join("\n"), "ndjson");
    assert.deepEqual(
      found.map((text) => text.split(" ")[0]),
      ["1", "2", "4", "5", "6", "7", "8", "9", "10"],
    );
    assert.match(found[1] ?? "", /not a JSON object/);
    assert.match(found[3] ?? "", /unknown key "PSK", did you mean "psk"\?/);
    assert.match(found[4] ?? "", /attributes\.pin/);
    assert.match(found[6] ?? "", /endpoint holds a control character/);
    for (const secret of [PSK, "1234", "99887766"]) assert.ok(!found.join().includes(secret));
  });
});

describe("any file", () => {
  test("the end of each row is told in bytes, for a progress bar", async () => {
    const text = `endpoint,psk,n\nurn:1,${PSK},é\n\nbad\nurn:2,${PSK},"x\ny"`;
    for (const size of [1, 10, 1000]) {
      const ends = (await read(text, "csv", size)).map(({ end }) => Buffer.from(text).subarray(0, end).toString());
      assert.deepEqual(ends, [text.slice(0, text.indexOf("\n\nbad") + 1), text.slice(0, text.indexOf("urn:2")), text]);
    }
  });

  test("a line or a quote without end stops the reading early, after the rows before it", async () => {
    async function* endless(head: string, filler: string): AsyncGenerator<Buffer> {
      yield Buffer.from(head);
      for (let count = 0; ; count++) {
        assert.ok(count < 200, "it reads on");
        yield Buffer.alloc(1000, filler);
      }
    }
    const cases: readonly (readonly [string, string, ImportFormat, RegExp])[] = [
      [`endpoint,psk\nurn:1,${PSK}\nurn:2,"`, "ab\n", "csv", /^line 3: a quote is not closed within 65536 bytes$/],
      [`endpoint,psk\nurn:1,${PSK}\nurn:2,`, "ab", "csv", /^line 3 is longer than 65536 bytes/],
      [`{"endpoint":"urn:1","psk":"${PSK}"}\n`, "ab", "ndjson", /^line 2 is longer than 65536 bytes/],
    ];
    for (const [head, filler, format, message] of cases) {
      const rows: ImportRow[] = [];
      const reading = async (): Promise<void> => {
        for await (const row of readDevices(endless(head, filler), format)) rows.push(row);
      };
      await assert.rejects(reading(), { code: "invalid-input", message });
      assert.ok(rows[0] !== undefined && "device" in rows[0]);
    }
    await assert.rejects(read(`endpoint,psk\nurn:1,"${PSK}\n`), {
      message: "line 2: a quote is not closed before the end of the file",
    });
  });

  test("random bytes are an error or bad rows, and nothing else", async () => {
    const input = fc.uint8Array({ maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(input, fc.constantFrom<ImportFormat>("csv", "ndjson"), async (bytes, format) => {
        const text = format === "csv" ? Buffer.concat([Buffer.from("endpoint,psk\n"), bytes]) : bytes;
        const rows = await read(text, format).catch((error: { code: string }) => error.code);
        assert.ok(rows === "invalid-input" || (Array.isArray(rows) && rows.every((row) => "error" in row)));
      }),
    );
  });

  test("memory does not grow with the file", async () => {
    async function* large(): AsyncGenerator<Buffer> {
      yield Buffer.from("endpoint,psk,site\n");
      for (let block = 0; block < 200; block++) {
        yield Buffer.from(Array.from({ length: 1000 }, (_, row) => `urn:dev:${block}-${row},${PSK},"a, b"\n`).join(""));
      }
    }
    const heap = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    let [count, highest] = [0, 0];
    for await (const row of readDevices(large(), "csv")) {
      assert.ok("device" in row);
      if (++count % 50_000 === 0) highest = Math.max(highest, heap());
    }
    assert.equal(count, 200_000);
    assert.ok(highest - before < 10_000_000, `grew by ${highest - before}`);
  });

  test("the example fleet reads without a complaint", async () => {
    const rows = await collect(readDevices(createReadStream("examples/fleet.csv"), "csv"));
    assert.equal(rows.length, 200);
    assert.ok(rows.every((row) => "device" in row && row.device.psk?.byteLength === 16));
    assert.equal(new Set(rows.map((row) => "device" in row && row.device.endpoint)).size, 200);
  });
});
