import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  BERTH_OBJECT,
  BERTH_RESOURCES,
  CORE_OBJECTS,
  fitsRange,
  type ObjectDefinition,
  parseObjectXml,
  type ResourceDefinition,
  type ResourceType,
  type ResourceValue,
} from "../../src/lwm2m/index.ts";

const OMA = "test/lwm2m/oma";

for (const file of readdirSync(OMA)) {
  test(`the table of object ${file.slice(0, -4)} is what OMA's registry says (lwm2m-registry b62ffc2, ${file})`, () => {
    const [object, ...others] = parseObjectXml(readFileSync(`${OMA}/${file}`, "utf8"), file);
    assert.equal(others.length, 0);
    assert.equal(`${object?.id}.xml`, file);
    assert.deepEqual(object, CORE_OBJECTS.get(object?.id ?? -1));
  });
}

test("the core objects are those of the registry's files and Berth's own", () => {
  const ids = readdirSync(OMA).map((file) => Number(file.slice(0, -4)));
  assert.deepEqual(
    [...CORE_OBJECTS.keys()].sort((a, b) => a - b),
    [...ids, BERTH_OBJECT].sort((a, b) => a - b),
  );
});

test("the published definition of the Berth object is the one in use, and its page names every resource", () => {
  const file = `docs/objects/${BERTH_OBJECT}.xml`;
  const berth = CORE_OBJECTS.get(BERTH_OBJECT);
  assert.deepEqual(parseObjectXml(readFileSync(file, "utf8"), file), [berth]);
  assert.deepEqual(Object.values(BERTH_RESOURCES), [...(berth?.resources.keys() ?? [])]);
  const page = readFileSync("docs/objects/README.md", "utf8");
  for (const { id, name } of berth?.resources.values() ?? []) assert.ok(page.includes(`| ${id} | ${name} |`), name);
  // OMA: "privately reused", no registration.
  assert.ok(BERTH_OBJECT >= 26241 && BERTH_OBJECT <= 32768);
});

const ITEM = {
  Name: "R",
  Operations: "RW",
  MultipleInstances: "Single",
  Mandatory: "Optional",
  Type: "Integer",
  RangeEnumeration: "",
};
const OBJECT = {
  Name: "Thing",
  ObjectID: "30000",
  ObjectURN: "",
  LWM2MVersion: "1.1",
  ObjectVersion: "2.0",
  MultipleInstances: "Multiple",
};

const elements = (all: Readonly<Record<string, string>>): string =>
  Object.entries(all)
    .map(([name, text]) => `<${name}>${text}</${name}>`)
    .join("");
const itemXml = (change: Readonly<Record<string, string>> = {}, id = "7"): string =>
  `<Item ID="${id}">${elements({ ...ITEM, ...change })}</Item>`;
const objectXml = (change: Readonly<Record<string, string>> = {}, items: string = itemXml()): string =>
  `<Object ObjectType="MODefinition">${elements({ ...OBJECT, ...change })}<Resources>${items}</Resources></Object>`;
const file = (...objects: string[]): string => `<?xml version="1.0"?>\r\n<!-- a -->\r\n<LWM2M>${objects.join("")}</LWM2M>`;

function resource(change: Readonly<Record<string, string>>): ResourceDefinition | undefined {
  return parseObjectXml(file(objectXml({}, itemXml(change))), "a.xml")[0]?.resources.get(7);
}

test("a file may hold several objects; what it does not say is version 1.0", () => {
  const objects = parseObjectXml(
    `\uFEFF${file(objectXml(), objectXml({ ObjectID: "30001", Name: " A\n \u0085 <![CDATA[B & C]]> ", LWM2MVersion: "", ObjectVersion: "", MultipleInstances: "single" }, ""))}`,
    "a.xml",
  );
  const expected: readonly ObjectDefinition[] = [
    {
      id: 30000,
      name: "Thing",
      version: "2.0",
      lwm2mVersion: "1.1",
      multiple: true,
      resources: new Map([[7, { id: 7, name: "R", multiple: false, mandatory: false, type: "integer" }]]),
    },
    { id: 30001, name: "A B & C", version: "1.0", lwm2mVersion: "1.0", multiple: false, resources: new Map() },
  ];
  assert.deepEqual(objects, expected);
});

test("every type of the registry, and what can only be executed", () => {
  for (const [text, type] of [
    ["String", "string"],
    ["Integer", "integer"],
    ["Unsigned Integer", "unsigned"],
    ["Float", "float"],
    ["Boolean", "boolean"],
    ["Opaque", "opaque"],
    ["Time", "time"],
    ["Objlnk", "objlnk"],
    ["Corelnk", "string"],
  ] as const) {
    assert.equal(resource({ Type: text })?.type, type);
  }
  assert.deepEqual(resource({ Type: "", Operations: "E", Mandatory: "Mandatory", MultipleInstances: "Multiple" }), {
    id: 7,
    name: "R",
    multiple: true,
    mandatory: true,
  });
  assert.equal(resource({ Type: "Opaque", Operations: "" })?.type, "opaque");
});

test("ranges as the registry writes them", () => {
  const numbers: readonly [string, string, ResourceDefinition["range"]][] = [
    ["Integer", "0..255", [[0, 255]]],
    ["Integer", " -20..20 ", [[-20, 20]]],
    ["Integer", "1...3", [[1, 3]]],
    ["Integer", "0-7", [[0, 7]]],
    ["Integer", "[1:4]", [[1, 4]]],
    ["Integer", "-30..-120", [[-120, -30]]],
    [
      "Integer",
      "0,1,2",
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
    ],
    [
      "Integer",
      "0..3, 99",
      [
        [0, 3],
        [99, 99],
      ],
    ],
    [
      "Float",
      "0; 3.8..20.5",
      [
        [0, 0],
        [3.8, 20.5],
      ],
    ],
    ["Float", "0.000001..1.0", [[0.000001, 1]]],
    ["Unsigned Integer", "0..18446744073709551615", [[0, 18446744073709551615n]]],
    ["String", "0-255 bytes", [[0, 255]]],
    ["String", "64", [[0, 64]]],
    [
      "String",
      "10 or 26 Bytes",
      [
        [10, 10],
        [26, 26],
      ],
    ],
    ["Opaque", "6", [[6, 6]]],
    [
      "Opaque",
      "16,32,48",
      [
        [16, 16],
        [32, 32],
        [48, 48],
      ],
    ],
  ];
  for (const [type, text, range] of numbers)
    assert.deepEqual(resource({ Type: type, RangeEnumeration: text })?.range, range, text);
  for (const [type, text] of [
    ["Integer", ""],
    ["Integer", "255"],
    ["Integer", "2 bytes"],
    ["Integer", "0..4 bytes"],
    ["Integer", "8-Bits"],
    ["Integer", "0: disabled"],
    ["String", "ON;OFF"],
    ["String", "The possible values are those listed in the LwM2M Core Specification"],
    ["String", "16-32-48 bytes"],
    ["Float", "&lt;7 to &gt;12.5"],
    ["Integer", `0..${"9".repeat(50)}`],
    ["Boolean", "0..1"],
    ["Objlnk", "0..1"],
  ] as const) {
    assert.equal(resource({ Type: type, RangeEnumeration: text })?.range, undefined, text);
  }
});

test("a value fits a range by itself, a string or opaque by its length", () => {
  const fits = (type: ResourceType, value: ResourceValue["value"]): boolean =>
    fitsRange({ type, value } as ResourceValue, [
      [1, 2],
      [4, 4],
    ]);
  assert.deepEqual(
    [0, 1, 2, 3, 4n, 5n].map((value) => fits("integer", value)),
    [false, true, true, false, true, false],
  );
  assert.deepEqual([fits("float", 1.5), fits("float", 2.5), fits("float", Number.NaN)], [true, false, false]);
  assert.deepEqual(
    ["", "a", "abc", "abcd"].map((value) => fits("string", value)),
    [false, true, false, true],
  );
  assert.deepEqual([fits("opaque", new Uint8Array(4)), fits("opaque", new Uint8Array(3))], [true, false]);
  assert.ok(fits("boolean", false) && fits("objlnk", { objectId: 9, instanceId: 9 }));
});

test("errors name the file, the object, the resource and what is wrong", () => {
  for (const [text, message] of [
    ["", /^a\.xml: is not XML: /],
    ["hello", /^a\.xml: is not XML: /],
    ["<LWM2M><Object></LWM2M>", /^a\.xml: is not XML: .*Object/],
    ["<LWM2M>&bomb;</LWM2M>", /^a\.xml: is not XML: .*bomb/],
    ["<LWM2M a=b/>", /^a\.xml: is not XML: /],
    ['<!DOCTYPE LWM2M [<!ENTITY a "b">]><LWM2M/>', /^a\.xml: is not XML: a DOCTYPE is not allowed$/],
    ["<DDFList/>", /^a\.xml: is no OMA object definition: the outermost element is DDFList, not LWM2M$/],
    ["<LWM2M/>", /^a\.xml: has no Object element$/],
    [file(objectXml(), objectXml()), /^a\.xml: object 30000 is there twice$/],
    [file(objectXml({ ObjectID: "" })), /^a\.xml: ObjectID is "", expected 0 to 65535$/],
    [file(objectXml({ ObjectID: "65536" })), /^a\.xml: ObjectID is "65536", expected 0 to 65535$/],
    [file(objectXml({ Name: " " })), /^a\.xml: object 30000: Name has 0 characters, expected 1 to 200$/],
    [
      file(objectXml({ ObjectVersion: "two" })),
      /^a\.xml: object 30000 Thing: ObjectVersion is "two", expected a version such as 1\.0$/,
    ],
    [file(objectXml({ LWM2MVersion: "1" })), /^a\.xml: object 30000 Thing: LWM2MVersion is "1", expected/],
    [
      file(objectXml({ MultipleInstances: "" })),
      /^a\.xml: object 30000 Thing: MultipleInstances is "", expected Single or Multiple$/,
    ],
    [file(objectXml({}, "<Item/>")), /^a\.xml: object 30000 Thing: ID of an Item is "", expected 0 to 65535$/],
    [file(objectXml({}, itemXml({}, "-1"))), /^a\.xml: object 30000 Thing: ID of an Item is "-1", expected 0 to 65535$/],
    [file(objectXml({}, itemXml() + itemXml())), /^a\.xml: object 30000 Thing: resource 7 is there twice$/],
    [
      file(objectXml({}, itemXml({ Name: "" }))),
      /^a\.xml: object 30000 Thing, resource 7: Name has 0 characters, expected 1 to 200$/,
    ],
    [
      file(objectXml({}, itemXml({ Type: "Flot" }))),
      /^a\.xml: object 30000 Thing, resource 7 R: Type is "Flot", expected one of string, /,
    ],
    [
      file(objectXml({}, itemXml({ Type: "" }))),
      /^a\.xml: object 30000 Thing, resource 7 R: Type is "", expected one of string, /,
    ],
    [file(objectXml({}, itemXml({ Type: "constructor" }))), /resource 7 R: Type is "constructor"/],
    [file(objectXml({}, itemXml({ Operations: "X" }))), /resource 7 R: Operations is "X", expected R, W, RW, E or nothing$/],
    [file(objectXml({}, itemXml({ Mandatory: "Yes" }))), /resource 7 R: Mandatory is "Yes", expected Optional or Mandatory$/],
    [
      file(objectXml({}, itemXml({ MultipleInstances: "Yes" }))),
      /resource 7 R: MultipleInstances is "Yes", expected Single or Multiple$/,
    ],
    [file(objectXml({}, itemXml().replace("</Item>", "<Type>Float</Type></Item>"))), /resource 7 R: Type is there twice$/],
    [file(objectXml({ Description1: "x".repeat(1_000_000) })), /^a\.xml: has \d+ characters; 1000000 are allowed$/],
  ] as const) {
    assert.throws(() => parseObjectXml(text, "a.xml"), { code: "invalid-input", message });
  }
});

test("hostile XML is refused and costs little", () => {
  const hostile = [
    "<a>".repeat(300_000),
    "<".repeat(900_000),
    `<a ${Array.from({ length: 50_000 }, (_, n) => `a${n}=""`).join(" ")}/>`,
    `<a>${"<!--".repeat(200_000)}`,
    `<a b="${"<".repeat(900_000)}`,
    `<LWM2M>${"<b/>".repeat(200_000)}</LWM2M>`,
    `<LWM2M>${"&#65;".repeat(150_000)}</LWM2M>`,
    `<!DOCTYPE a [${'<!ENTITY a "&a;&a;">'.repeat(40_000)}]><a>&a;</a>`,
  ];
  const start = process.cpuUsage();
  for (const text of hostile) assert.throws(() => parseObjectXml(text, "a.xml"), { code: "invalid-input" });
  assert.ok(process.cpuUsage(start).user < 10_000_000);
});
