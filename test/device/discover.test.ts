import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceObjects, type LwM2mVersion, type ObjectTree, performOperation } from "../../src/device/index.ts";
import { decodeDiscover, objectInstance, parseObjectXml, single } from "../../src/lwm2m/index.ts";
import { after, CONFIGURED, FACTORY, NOTHING, put, request, textOf } from "./operation-fixture.ts";
import { bootstrapAccount, security } from "./scripted-server.ts";

function discover(tree: ObjectTree, version: LwM2mVersion, path: string[] = []): string {
  const { response } = performOperation(tree, request({ method: "GET", path, accept: 40 }), { version });
  assert.deepEqual([response.code, response.contentFormat], ["2.05", 40]);
  return textOf(response);
}

const DM = 'ssid=123;uri="coaps://dm.example.com:5684"';

test("Discover, 1.1: instances with short server ids and URIs, but of the bootstrap account neither (BS-05)", () => {
  assert.equal(
    discover(CONFIGURED, "1.1"),
    `</>;lwm2m=1.1,</0/0>,</0/1>;${DM},</1/0>;ssid=123,</2>,</3/0>,</21>,</23>,</24>,</27378>`,
  );
  assert.equal(discover(CONFIGURED, "1.1", ["1"]), "</>;lwm2m=1.1,</1/0>;ssid=123");
});

test("Discover, 1.2: the bootstrap account tells its URI, and still has no short server id", () => {
  const text = discover(CONFIGURED, "1.2", ["0"]);
  assert.equal(text, `</>;lwm2m=1.2,</0/0>;uri="coaps://bs.example.com",</0/1>;${DM}`);
});

test("Discover, 1.0: the version in quotes, then objects and instances without attributes (BS-27)", () => {
  const text = discover(CONFIGURED, "1.0", []);
  assert.equal(text, 'lwm2m="1.0",</0>,</0/0>,</0/1>,</1>,</1/0>,</2>,</3>,</3/0>,</21>,</23>,</24>,</27378>');
  const { lwm2m, entries } = decodeDiscover(Buffer.from(text));
  assert.deepEqual([lwm2m, entries.length], ["1.0", 12]);
});

test("OSCORE instances carry the short server id of the account that links to them; the bootstrap account's carry none", () => {
  const link = (id: number) => single(17, { type: "objlnk", value: { objectId: 21, instanceId: id } });
  const oscore = (id: number) => objectInstance(21, id, [single(0, { type: "opaque", value: NOTHING })]);
  const tree = after(FACTORY, [
    put(bootstrapAccount(0, { more: [link(0)] })),
    put(security(7, 1, [link(1)])),
    ...[0, 1, 2].map((id) => put(oscore(id))),
  ]);
  assert.equal(discover(tree, "1.1", ["21"]), "</>;lwm2m=1.1,</21/0>,</21/1>;ssid=7,</21/2>");
});

test("an object defined by an OMA XML file is there, with its version, and can be written (1.1: ver)", () => {
  const xml = `<LWM2M><Object ObjectType="MODefinition"><Name>Temperature</Name><ObjectID>3303</ObjectID>
    <LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>1.1</ObjectVersion><MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory><Resources><Item ID="5701"><Name>Sensor Units</Name><Operations>R</Operations>
    <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type>String</Type></Item></Resources>
    </Object></LWM2M>`;
  const objects = deviceObjects(new Map(parseObjectXml(xml, "3303.xml").map((object) => [object.id, object])));
  const written = objectInstance(3303, 2, [single(5701, { type: "string", value: "Cel" })]);
  const lacking = performOperation(CONFIGURED, put(written));
  assert.equal(lacking.response.code, "4.00");
  const tree = after(CONFIGURED, [put(written)], { objects });
  assert.deepEqual(tree.get(3303, 2), written);
  const { response } = performOperation(tree, request({ method: "GET", path: ["3303"], accept: 40 }), { objects });
  assert.equal(textOf(response), "</>;lwm2m=1.1,</3303>;ver=1.1,</3303/2>");
});
