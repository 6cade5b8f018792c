import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BERTH_OBJECT,
  type BootstrapProfile,
  CORE_OBJECTS,
  compileProfile,
  type ObjectDefinition,
  type ObjectDefinitions,
  parseObjectXml,
  parseProfile,
  profileWarnings,
  resolveProfile,
} from "../../src/lwm2m/index.ts";
import { bootstrapSteps, DEVICE, nameOf, profileOf, server, toInstance, written, writtenBy } from "./support.ts";

test("an object is written with its instances in one write, an instance in one, a resource in one", () => {
  const profile = profileOf(`${server()}
objects:
  /2: { 0: { 0: 5, 1: 0, 3: 101 }, 7: { 0: 4, 1: 0, 3: 101 } }
  /3/0/14: "+02:00"
  /3/0/15: Europe/Berlin
  /33000/1: { 0: true }
  /33000/1/6: { 0: 5, 3: 6 }`);
  const sent = bootstrapSteps(profile, DEVICE);
  assert.deepEqual(sent.slice(4).map(nameOf), [
    "write /2",
    "write /3/0/14",
    "write /3/0/15",
    "write /33000/1",
    "write /33000/1/6",
    "finish",
  ]);
  const acl = (objectId: number): Parameters<typeof toInstance>[1] => ({
    0: ["integer", objectId],
    1: ["integer", 0],
    3: ["integer", 101],
  });
  for (const format of compileProfile(profile).formats()) {
    assert.deepEqual(
      sent.slice(4, 5).flatMap((step) => written(step, format)),
      [toInstance("/2/0", acl(5)), toInstance("/2/7", acl(4))],
    );
  }
  assert.deepEqual(written(sent[5] ?? assert.fail(), 110), [toInstance("/3/0", { 14: ["string", "+02:00"] })]);
});

test("servers may be part of an object-level write, and its instances have ids of their own", () => {
  const yaml = `
objects:
  /0: { 10: { 0: "coap://a.example.com:5683", 1: false, 2: 3, 10: 101 }, 3: { 0: "coap://b.example.com:5683", 1: false, 2: 3, 10: 102 } }
  /1: { 0: { 0: 101, 1: 60, 6: true, 7: U }, 1: { 0: 102, 1: 60, 6: true, 7: U } }`;
  const found = { entries: [{ path: [0, 3] }] };
  const sent = bootstrapSteps(profileOf(yaml), DEVICE, { found });
  assert.deepEqual(sent.map(nameOf), ["delete /0", "delete /1", "write /0", "write /1", "finish"]);
  assert.deepEqual(
    writtenBy(sent.slice(2, 3)).map(({ id }) => id),
    [4, 10],
  );
});

test("resourceFormat: plain is text, and the bytes themselves for an opaque; cbor is one item; else the format of the session", () => {
  const yaml = (format: string): string => `${format}
${server()}
objects: { /3/0/14: "+02:00", /24/0/8: "00ff", /33000/0/1: 5, /33000/0/2: { objlnk: "3:0" } }`;
  const sent = (format: string): unknown[] =>
    bootstrapSteps(profileOf(yaml(format)), DEVICE).flatMap((step) =>
      step.kind === "write" && step.path.split("/").length === 4
        ? [
            [
              step.path,
              step.formats?.[0],
              step.formats?.[0] === undefined ? "" : Buffer.from(step.payload(step.formats[0])).toString("latin1"),
            ],
          ]
        : [],
    );
  assert.deepEqual(sent("resourceFormat: plain"), [
    ["/3/0/14", 0, "+02:00"],
    ["/24/0/8", 42, "\x00\xff"],
    ["/33000/0/1", 0, "5"],
    ["/33000/0/2", 0, "3:0"],
  ]);
  assert.deepEqual(sent("resourceFormat: cbor").slice(0, 3), [
    ["/3/0/14", 60, "\x66+02:00"],
    ["/24/0/8", 60, "\x42\x00\xff"],
    ["/33000/0/1", 60, "\x05"],
  ]);
  assert.deepEqual(
    sent("").map((each) => (each as unknown[])[1]),
    [undefined, undefined, undefined, undefined],
  );
  const again = bootstrapSteps(profileOf(yaml("resourceFormat: plain")), DEVICE).find((step) => nameOf(step) === "write /3/0/14");
  assert.ok(again?.kind === "write");
  assert.equal(Buffer.from(again.payload(11542)).toString("hex"), `c60e${Buffer.from("+02:00").toString("hex")}`);
});

test("mistakes in objects are named by their path", () => {
  for (const [yaml, expected] of [
    [`objects: { /0/5/11: 1 }`, /objects: \/0\/5\/11: write it with its instance/],
    [`objects: { /21/0/0: "00" }`, /objects: \/21\/0\/0: write it with its instance/],
    [`objects: { /2: { 65535: { 0: 1, 1: 0, 3: 1 } } }`, /objects: \/2: an object instance id is 0 to 65534/],
    [`objects: { /2: { a: {} } }`, /objects\.\/2\.a: an object instance id is a number/],
    [`objects: { /2: {} }`, /objects: \/2 has no instances; to empty an object, delete it/],
    [`objects: { /2: 5 }`, /objects\.\/2: .*expected record/],
    [`objects: { /2/0: 5 }`, /objects\.\/2\/0: .*expected record/],
    [`objects: { /2/0/2: { 0: [1] } }`, /objects\.\/2\/0\/2: expected a value/],
    [`objects: { /70000/0: { 0: 1 } }`, /objects: \/70000\/0 is no path/],
    [`objects: { "2/0": { 0: 1 } }`, /objects\.2\/0: expected the path/],
    [`objects: { /: {} }`, /expected the path/],
    [`objects: { /2: { 0: { 0: 5, 1: 0, 3: 1 } }, /2/0: { 0: 5, 1: 0, 3: 1 } }`, /objects: \/2\/0 is written twice/],
    [`objects: { /1/0/8: 1 }`, /\/1\/0\/8 Registration Update Trigger: can only be executed/],
    [
      `resourceFormat: plain\nobjects: { /2/0/2: { 0: 1 } }`,
      /objects: \/2\/0\/2: a resource with several values has no plain form/,
    ],
    [`resourceFormat: text\nobjects: { }`, /resourceFormat/],
    [`objects: { /${BERTH_OBJECT}/1: { 0: "{}" } }`, /Berth has one instance, \/27378\/0/],
    [`objects: { /23/0: { 0: a, 1: 10 } }`, /\/23\/0\/2 Key is missing/],
  ] as const) {
    assert.throws(
      () => profileOf(`${server()}\n${yaml}`),
      { code: "invalid-input", message: expected },
      `${yaml}: ${String(expected)}`,
    );
  }
});

const XML = `<LWM2M><Object ObjectType="MODefinition"><Name>Pump</Name><ObjectID>33001</ObjectID><MultipleInstances>Multiple</MultipleInstances>
<Resources>
<Item ID="0"><Name>Speed</Name><Operations>RW</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type><RangeEnumeration>0..100</RangeEnumeration></Item>
<Item ID="1"><Name>Key</Name><Operations></Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type>Opaque</Type></Item>
<Item ID="2"><Name>Limits</Name><Operations>RW</Operations><MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Type>Unsigned Integer</Type></Item>
<Item ID="3"><Name>Start</Name><Operations>E</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type></Type></Item>
</Resources></Object></LWM2M>`;

function withPump(): ObjectDefinitions {
  const objects: ObjectDefinition[] = [...CORE_OBJECTS.values(), ...parseObjectXml(XML, "pump.xml")];
  return new Map(objects.map((object) => [object.id, object]));
}

test("an object of an XML definition is checked like the core ones", () => {
  const pump = (resources: string): BootstrapProfile => profileOf(`${server()}\nobjects: { /33001/0: ${resources} }`, withPump());
  assert.ok(pump(`{ 0: 21, 1: "00ff", 2: { 0: 7 } }`));
  for (const [resources, expected] of [
    [`{ 1: "00" }`, /objects: \/33001\/0\/0 Speed is missing/],
    [`{ 0: fast }`, /\/33001\/0\/0 Speed: must be a number/],
    [`{ 0: 101 }`, /\/33001\/0\/0 Speed: is 101; 0 to 100 are allowed/],
    [`{ 0: 1, 2: 5 }`, /\/33001\/0\/2 Limits: has several values/],
    [`{ 0: 1, 3: 1 }`, /\/33001\/0\/3 Start: can only be executed/],
  ] as const) {
    assert.throws(() => pump(resources), { code: "invalid-input", message: expected }, resources);
  }
  const strange = pump("{ 0: 1, 9: 1 }");
  assert.match(profileWarnings(strange, withPump()).join(), /\/33001\/0\/9 is no resource of Pump/);
  assert.deepEqual(profileWarnings(strange), []);
});

test("a resolved profile needs no definitions, and writes the same", () => {
  const yaml = `${server("    serverResources: { 2: 5 }")}
bootstrapServer:
  uri: coaps://bs.example.com:5684
  security: { mode: nosec }
  securityResources: { 11: 1 }
objects:
  /33001: { 0: { 0: 21, 1: "00ff", 2: { 0: 7, 1: { unsigned: 8 } } } }
  /33001/1: { 0: { float: 2 } }
  /33001/1/1: "aabb"
  /2/0: { 0: 5, 1: 0, 3: 101 }`;
  const parsed = profileOf(yaml, withPump());
  const stored = parseProfile(JSON.parse(JSON.stringify(resolveProfile(parsed, withPump()))));
  assert.deepEqual(stored.objects, {
    "/33001": { 0: { 0: { float: 21 }, 1: { hex: "00ff" }, 2: { 0: { unsigned: 7 }, 1: { unsigned: 8 } } } },
    "/33001/1": { 0: { float: 2 } },
    "/33001/1/1": { hex: "aabb" },
    "/2/0": { 0: 5, 1: 0, 3: 101 },
  });
  assert.deepEqual({ ...stored, objects: parsed.objects }, parsed);
  const found = { entries: [{ path: [0, 0] }] };
  assert.deepEqual(
    bootstrapSteps(stored, DEVICE, { found }).flatMap((step) =>
      nameOf(step) === "write /33001" && step.kind === "write" ? [Buffer.from(step.payload(11542)).toString("hex")] : [],
    ),
    ["080012c40041a80000c20100ff8602410007410108"],
  );
});
