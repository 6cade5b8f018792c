import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { nameToWire, type TsigAlgorithm, type TsigKey } from "../../src/dns/index.ts";
import { newKey, ZONE } from "../support/dns-servers.ts";
import { needs } from "../support/tools.ts";
import { type ScriptedServer, startScriptedServer } from "./scripted-server.ts";

const NAMES = 3000;

/** What a program wrote, on both its outputs. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) =>
    execFile(program, args, { maxBuffer: 1 << 26 }, (_error, stdout, stderr) => resolve(stdout + stderr)),
  );
}

const secretOf = (key: TsigKey): string => `${key.algorithm}:${key.name}:${Buffer.from(key.secret).toString("base64")}`;

/** What both programs say where a signature or an answer does not hold. */
const COMPLAINT = /couldn't|could not|fail|;; (?:warning|error)/i;

for (const [program, once, apt] of [
  ["dig", "+tries=1", "bind9-dnsutils"],
  ["kdig", "+retry=0", "knot-dnsutils"],
] as const) {
  for (const algorithm of ["hmac-sha256", "hmac-sha512"] satisfies TsigAlgorithm[]) {
    describe(`${program} with a key of ${algorithm}`, { skip: needs(program, apt) }, () => {
      const key = newKey(algorithm);
      let server: ScriptedServer;
      let late: ScriptedServer;
      before(async () => {
        server = await startScriptedServer({ key, names: NAMES });
        late = await startScriptedServer({ key, names: 0, ahead: 1_000_000 });
      });
      after(() => Promise.all([server.close(), late.close()]));

      const ask = (to: ScriptedServer, by: TsigKey, ...args: readonly string[]): Promise<string> =>
        run(program, ["@127.0.0.1", "-p", String(to.port), "-y", secretOf(by), once, "+time=5", ...args]);

      test("RFC 8945 5.3: accepts the signature of an answer, over UDP and TCP", async () => {
        for (const transport of ["+notcp", "+tcp"]) {
          const said = await ask(server, key, transport, ZONE, "SOA");
          assert.match(said, /status: NOERROR/);
          assert.match(said, /TSIG/);
          assert.doesNotMatch(said, COMPLAINT);
        }
        assert.deepEqual(server.heard.at(-1)?.questions[0]?.name, nameToWire(ZONE));
      });

      test("RFC 5936 2.2, RFC 8945 5.3.1: reads a transfer of many signed messages whole", async () => {
        const said = await ask(server, key, ZONE, "AXFR");
        assert.equal([...said.matchAll(/\sIN\s+AAAA\s/g)].length, NAMES);
        assert.equal([...said.matchAll(/\sSOA\s.* 5 3600 600 604800 30$/gm)].length, 2);
        assert.doesNotMatch(said, COMPLAINT);
      });

      test("RFC 1995 4: reads differences", async () => {
        const said = await ask(server, key, ZONE, "IXFR=4");
        assert.match(said, /gone\.bs\.example\.com\.\s+30\s+IN\s+A\s+127\.0\.0\.1\n[^\n]*SOA[^\n]* 5 [^\n]*\n[^\n]*new\.bs/);
        assert.equal([...said.matchAll(/\sSOA\s/g)].length, 4);
      });

      test("RFC 8945 5.2: understands what is wrong with its key, its secret and its clock", async () => {
        const heard = server.heard.length;
        assert.match(await ask(server, { ...key, name: "other" }, ZONE, "SOA"), /BADKEY/i);
        assert.match(await ask(server, { ...key, secret: Buffer.alloc(32) }, ZONE, "SOA"), /BADSIG/i);
        assert.match(await ask(late, key, ZONE, "SOA"), /BADTIME/i);
        assert.deepEqual([server.heard.length, late.heard.length], [heard, 0]);
      });
    });
  }
}

for (const [program, args, apt] of [
  ["nsupdate", ["-v"], "bind9-dnsutils"],
  ["nsupdate", [], "bind9-dnsutils"],
  ["knsupdate", ["-v"], "knot-dnsutils"],
] as const) {
  test(`RFC 2136: what ${[program, ...args].join(" ")} says is read as it was meant`, { skip: needs(program, apt) }, async () => {
    const key = newKey();
    const server = await startScriptedServer({ key, names: 0 });
    const said = await script(program, args, [
      `server 127.0.0.1 ${server.port}`,
      `zone ${ZONE}`,
      `key ${key.algorithm}:${key.name} ${Buffer.from(key.secret).toString("base64")}`,
      `prereq yxrrset ${ZONE}. IN TXT "term 1"`,
      `prereq nxdomain new.${ZONE}.`,
      `update delete old.${ZONE}. IN A`,
      `update delete old.${ZONE}. IN AAAA 2001:db8::1`,
      `update add new.${ZONE}. 30 IN A 192.0.2.1`,
      "send",
    ]);
    await server.close();
    assert.doesNotMatch(said, /fail|error/i);
    const [message, ...more] = server.heard;
    assert.deepEqual(more, []);
    assert.deepEqual(message?.questions, [{ name: nameToWire(ZONE), type: 6, class: 1 }]);
    const short = (records: typeof message.answers): string[] =>
      records.map(({ name, type, class: rrClass, ttl, data }) =>
        [Buffer.from(name).toString("latin1", 1, 4), type, rrClass, ttl, Buffer.from(data).toString("hex")].join(" "),
      );
    assert.deepEqual(short(message.answers), ["bs\x07 16 1 0 067465726d2031", "new 255 254 0 "]);
    assert.deepEqual(short(message.authorities), [
      "old 1 255 0 ",
      "old 28 254 0 20010db8000000000000000000000001",
      "new 1 1 30 c0000201",
    ]);
  });
}

/** What a program says that reads commands. */
function script(program: string, args: readonly string[], commands: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("close", () => resolve(said));
    child.stdin.end(`${commands.join("\n")}\n`);
  });
}
