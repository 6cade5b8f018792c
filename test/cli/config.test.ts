import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { berth, berthMany, type Ended } from "../support/program.ts";

const PKCS8 = { type: "pkcs8", format: "pem" } as const;
const [major = 0, minor = 0] = process.versions.openssl.split(".").map(Number);
const hasRawPublicKeys = major > 3 || (major === 3 && minor >= 2);

/* What is wrong with a configuration is said in one line at start, with exit code 2. */

const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
after(() => rmSync(folder, { recursive: true }));
for (const [name, mode] of [["operator.token"], ["instance.token"], ["berth.key"], ["open.key", 0o644]] as const) {
  writeFileSync(join(folder, name), "0123456789abcdef".repeat(4), { mode: mode ?? 0o600 });
}
writeFileSync(join(folder, "short.token"), "swordfish");
writeFileSync(join(folder, "empty.token"), "\n");
writeFileSync(join(folder, "key.pem"), generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(PKCS8));
writeFileSync(join(folder, "text.pem"), "swordfish");
mkdirSync(join(folder, "objects"));
writeFileSync(join(folder, "objects", "bad.xml"), "<LWM2M><Object/></LWM2M>");
writeFileSync(
  join(folder, "profile.yaml"),
  "servers: [{ uri: coaps://a.test:5684, shortServerId: 0, security: { mode: nosec } }]",
);

/** A configuration that would do, but for what `changes` sets. */
function configWith(changes: object): string {
  const whole = {
    uri: "coaps://bs.fleet.test:5684",
    dns: { listen: ["127.0.0.1:1"] },
    storage: { folder: "data", key: "berth.key" },
    control: { listen: "127.0.0.1:1", operatorToken: "operator.token", instanceToken: "instance.token" },
    ...changes,
  };
  return JSON.stringify(whole);
}

/** Writes a configuration and gives the command that starts it. */
function commandFor(command: string, text: string, index: number): string[] {
  const path = join(folder, `berth-${command}-${index}.yaml`);
  writeFileSync(path, text);
  return [command, "--config", path];
}

/** As {@link configWith}, with an instance to serve. */
function serving(changes: object): string {
  return configWith({ instances: { local: [{ id: "a", address: "127.0.0.1" }] }, ...changes });
}

const source = (changes: object): object => ({
  sources: { lwm2m: { url: "https://lwm2m.test/clients", token: "a", ...changes } },
});
const store = (changes: object): object => ({ securityStores: { fleet: { url: "https://lwm2m.test/clients", ...changes } } });

const tokens = { operatorToken: "operator.token", instanceToken: "instance.token" };
type Case = readonly [what: string, text: string, says: RegExp];
const CASES: readonly Case[] = [
  ["an unknown key", configWith({ storge: {} }), /berth-balancer-\d+\.yaml: unknown key "storge", did you mean "storage"\?/],
  ["an unknown key below another", configWith({ dns: { tll: "5s" } }), /dns: unknown key "tll", did you mean "ttl"\?/],
  ["no duration", configWith({ dns: { ttl: "five" } }), /dns\.ttl: is not a duration; write for example 30s.* \(got "five"\)/],
  [
    "no address",
    configWith({ dns: { listen: ["localhost:53"] } }),
    /dns\.listen\[0\]: is no address and port; write for example/,
  ],
  ["another protocol", configWith({ uri: "http://bs.fleet.test" }), /uri: "http:\/\/bs\.fleet\.test" does not begin with coaps:/],
  ["a broken file", "uri: [", /berth-balancer-\d+\.yaml: .* at line \d, column \d\n$/],
  [
    "a tag that means nothing",
    "uri: coaps://bs.fleet.test\nzone: !x fleet.test",
    /berth-balancer-\d+\.yaml: Unresolved tag: !x at line 2, column 7\n$/,
  ],
  ["an empty file", "", /berth-balancer-\d+\.yaml: .*expected object/],
  ["no such recipe", configWith({ recipe: "berth-2" }), /no built-in recipe "berth-2"; did you mean "berth-1"\?/],
  ["a wrong recipe", configWith({ recipe: { version: 1 } }), /recipe: function: /],
  ["no such file", configWith({ recipe: "./no.json" }), /no\.json: there is no such file/],
  [
    "a host without domain",
    configWith({ uri: "coaps://bs:5684" }),
    /its host has no domain behind the part that varies; set zone/,
  ],
  [
    "a timer shorter than the TTL",
    configWith({ rotation: { every: "10s" } }),
    /^berth: rotation\.every: 10s is shorter than dns\.ttl, 30s: resolvers would give out names' old addresses\n$/,
  ],
  [
    "a rule to re-arm devices without an age",
    configWith({ rearm: { rules: [{ group: "north", after: "soon" }] } }),
    /rearm\.rules\[0\]\.after: is not a duration; write for example 30s, 5m or 1h/,
  ],
  ["no such policy to re-arm", configWith({ rearm: { policy: "allways" } }), /rearm\.policy: /],
  [
    "epochs shorter than the TTL",
    configWith({ dns: { ttl: "2h" }, epochs: { grace: "4h" } }),
    /^berth: recipe: its time unit, 1h, is shorter than dns\.ttl, 2h: names would end before resolvers forget them\n$/,
  ],
  ["a lead shorter than the skew", configWith({ epochs: { lead: "1m" } }), /epochs\.lead: 1m is shorter than epochs\.skew, 5m/],
  [
    "a registry without its server",
    configWith({ dns: { registry: "rfc2136" } }),
    /^berth: .*dns: registry rfc2136 needs dns\.update/,
  ],
  [
    "a server that the registry does not use",
    configWith({ dns: { transfer: { key: "k" }, keys: { k: { file: "k.key" } } } }),
    /dns: dns\.transfer is of no use with registry embedded/,
  ],
  [
    "a key that is not there",
    configWith({ dns: { registry: "primary", transfer: { key: "other" }, keys: { k: { file: "k.key" } } } }),
    /dns: transfer\.key: dns\.keys has no "other"/,
  ],
  [
    "a key without its file",
    configWith({ dns: { registry: "primary", transfer: { key: "k" }, keys: { k: { file: "no.key" } } } }),
    /^berth: dns\.keys\.k\.file: .*no\.key: there is no such file\n$/,
  ],
  ["a brake that is no share", configWith({ dns: { brake: "much" } }), /dns\.brake: is no share; write for example 30%/],
  ["a TTL of 0", configWith({ dns: { ttl: "0s" } }), /dns\.ttl: must be more than 0/],
  ["no key", configWith({ storage: { folder: "data", key: "no.key" } }), /no such key file; make one with: openssl rand/],
  [
    "a key for all to see",
    configWith({ storage: { folder: "data", key: "open.key" } }),
    /others can read this key; run: chmod 600/,
  ],
  ["no storage", configWith({ storage: {} }), /storage: give a folder for the embedded database, or a postgres URL/],
  [
    "two storages",
    configWith({ storage: { folder: "a", postgres: "postgres://x" } }),
    /storage: give a folder or a postgres URL, not/,
  ],
  ["no token", configWith({ control: { operatorToken: "operator.token" } }), /control\.instanceToken: name the file/],
  ["no token file", configWith({ control: { ...tokens, operatorToken: "no.token" } }), /no\.token: there is no such file/],
  ["a short token", configWith({ control: { ...tokens, operatorToken: "short.token" } }), /a token needs 16 characters or more/],
  [
    "a control API without TLS for all to reach",
    configWith({ control: { ...tokens, listen: "0.0.0.0:8690" } }),
    /control\.listen: 0\.0\.0\.0 can be reached from outside, and keys travel over it: set control\.tls/,
  ],
  [
    "TLS with a key for a certificate",
    configWith({ control: { ...tokens, tls: { cert: "key.pem", key: "key.pem" } } }),
    /^berth: control\.tls\.cert: .*\/key\.pem holds no certificate in PEM\n$/,
  ],
  [
    "a client CA without a certificate",
    configWith({ dtls: { clientCa: "text.pem" } }),
    /dtls: clientCa is of no use without certificate and key\n$/,
  ],
  [
    "a certificate and a revocation list without a client CA",
    configWith({ dtls: { certificate: "a.pem", key: "b.pem", crl: "c.pem" } }),
    /dtls: certificate, key, crl are of no use without clientCa\n$/,
  ],
  [
    "no budget of handshakes",
    configWith({ admission: { handshakes: "lots" } }),
    /admission\.handshakes: is neither auto nor a number of handshakes a second \(got "lots"\)/,
  ],
  [
    "half a session",
    configWith({ admission: { sessions: 0.5 } }),
    /admission\.sessions: is neither auto nor a whole number of sessions \(got 0\.5\)/,
  ],
  [
    "an unknown key of a security store",
    configWith(store({ tokn: "a" })),
    /securityStores\.fleet: unknown key "tokn", did you mean "token"\?/,
  ],
  ["half a pair", configWith(store({ certificate: "a.pem" })), /securityStores\.fleet: give certificate and key, or neither/],
  [
    "an unknown key of a source",
    configWith(source({ evry: "5s" })),
    /sources\.lwm2m: unknown key "evry", did you mean "every"\?/,
  ],
  ["a source asked too often", configWith(source({ every: "500ms" })), /sources\.lwm2m\.every: is too often; at least 1s/],
  ["a source of another kind", configWith(source({ kind: "vault" })), /sources\.lwm2m\.kind: .*"leshan"/],
  [
    "a source that knows nobody",
    configWith({ sources: { lwm2m: { url: "https://lwm2m.test/clients" } } }),
    /sources\.lwm2m: give a token, or certificate and key: a server that gives devices' keys has to know who asks/,
  ],
  [
    "no token of a source",
    configWith(source({ token: "no.token" })),
    /^berth: sources\.lwm2m\.token: .*no\.token: there is no such file/,
  ],
  [
    "a source without TLS elsewhere",
    configWith(source({ url: "http://lwm2m.test/clients", token: "short.token" })),
    /^berth: sources\.lwm2m: url: http:\/\/lwm2m\.test is without TLS and not on this host/,
  ],
  ["no folder of objects", configWith({ objects: "nowhere" }), /^berth: objects: .*\/nowhere: there is no such folder\n$/],
  ["an object that is none", configWith({ objects: "objects" }), /^berth: .*objects\/bad\.xml: .*ObjectID/],
  [
    "a profile that cannot be used",
    configWith({ profiles: { default: "profile.yaml" } }),
    /^berth: .*\/profile\.yaml: servers\[0\]\.shortServerId: .*\(got 0\)\n$/,
  ],
];

const INSTANCE_CASES: readonly Case[] = [
  [
    "no file of certificates",
    serving({ dtls: { certificate: "no.pem", key: "key.pem", clientCa: "text.pem" } }),
    /^berth: dtls\.certificate: .*\/no\.pem: there is no such file\n$/,
  ],
  [
    "a file that holds no certificate",
    serving({ dtls: { certificate: "key.pem", key: "key.pem", clientCa: "text.pem" } }),
    /^berth: dtls\.certificate: .*\/key\.pem holds no certificate in PEM\n$/,
  ],
  [
    "a raw public key's file that holds no key",
    serving({ dtls: { rawPublicKey: "text.pem" } }),
    hasRawPublicKeys
      ? /^berth: dtls\.rawPublicKey: .*\/text\.pem holds no private key in PEM, or one with a passphrase\n$/
      : /^berth: dtls\.rawPublicKey: raw public keys need OpenSSL 3\.2, and this is .*; use Node 24 or later\n$/,
  ],
  [
    "no token of a security store",
    serving(store({ token: "no.token" })),
    /^berth: securityStores\.fleet\.token: .*there is no such file/,
  ],
  [
    "an empty token",
    serving(store({ token: "empty.token" })),
    /^berth: securityStores\.fleet\.token: .*\/empty\.token is empty\n$/,
  ],
  [
    "a CA that is none",
    serving(store({ ca: "text.pem" })),
    /^berth: securityStores\.fleet\.ca: .*\/text\.pem holds no certificate/,
  ],
  [
    "a security store without TLS elsewhere",
    serving(store({ url: "http://lwm2m.test/clients" })),
    /^berth: securityStores\.fleet: url: http:\/\/lwm2m\.test is without TLS and not on this host/,
  ],
  [
    "a URL that is none",
    serving(store({ url: "lwm2m.test" })),
    /^berth: securityStores\.fleet: url: "lwm2m\.test" is no https URL\n$/,
  ],
];

for (const [command, title, cases] of [
  ["balancer", "a balancer does not start with", CASES],
  ["serve", "instances do not start with", INSTANCE_CASES],
] as const) {
  describe(title, () => {
    let results: readonly Ended[] = [];
    before(async () => {
      results = await berthMany(cases.map(([, text], index) => commandFor(command, text, index)));
    });
    for (const [index, [what, , says]] of cases.entries()) {
      test(what, () => {
        const { code, stdout = "", stderr = "" } = results[index] ?? {};
        assert.equal(code, 2, stderr);
        assert.equal(stdout, "");
        assert.match(stderr, /^berth: [^\n]+\n$/);
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /swordfish|0123456789abcdef/, "no secret is repeated");
      });
    }
  });
}

test("without a configuration: how to get one", async () => {
  const { code, stderr } = await berth(["balancer"], { cwd: folder });
  assert.equal(code, 2);
  assert.equal(stderr, "berth: there is no berth.yaml here; give one with --config FILE, or start from examples/berth.yaml\n");
});

test("serve without instances: where to list them", async () => {
  const path = join(folder, "none.yaml");
  writeFileSync(path, configWith({}));
  const { code, stderr } = await berth(["serve", "--config", path]);
  assert.equal(code, 2);
  assert.match(stderr, /^berth: .*none\.yaml: instances\.local names 0 instances; list the id and address of each to run\n$/);
});

test("an instance for coap: has to be told that this is meant", async () => {
  const path = join(folder, "coap.yaml");
  writeFileSync(path, configWith({ uri: "coap://bs.fleet.test" }));
  const { code, stderr } = await berth(["instance", "--config", path, "--id", "a", "--listen", "127.0.0.1"]);
  assert.equal(code, 2);
  assert.match(stderr, /^berth: uri: coap: is without security; say --nosec if .*\n$/);
});
