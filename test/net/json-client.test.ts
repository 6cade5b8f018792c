import assert from "node:assert/strict";
import { after, test } from "node:test";
import { InvalidInput } from "../../src/lib/errors.ts";
import { HttpFailure, JsonClient, type JsonClientOptions } from "../../src/net/index.ts";
import { type Certificates, makeCertificates, ScriptedServer } from "../support/https.ts";
import { needs } from "../support/tools.ts";

const skip = needs("openssl", "openssl");
const LIMITS = { timeout: 5000, largestAnswer: 1000, connections: 2 } as const;
const opened: { close(): unknown }[] = [];
after(() => Promise.all(opened.map((one) => one.close())));

let made: Certificates | undefined;
function certificates(): Certificates {
  made ??= makeCertificates();
  return made;
}

function client(options: Partial<JsonClientOptions> & { readonly url: string }): JsonClient {
  const one = new JsonClient({ ...LIMITS, ...options });
  opened.push(one);
  return one;
}

async function server(...args: Parameters<typeof ScriptedServer.start>): Promise<ScriptedServer> {
  const one = await ScriptedServer.start(...args);
  opened.push(one);
  return one;
}

const fails =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof HttpFailure && error.code === code;

/** What a server with `pair` answers a client with `options`. */
async function overTls(pair: "server" | "elsewhere", options: Partial<JsonClientOptions>): Promise<string> {
  const { certificate, key } = certificates()[pair];
  const { url } = await server(() => ({ status: 200, body: "yes" }), { cert: certificate, key });
  return (await client({ url, ...options }).call("GET", [])).text;
}

test("HTTPS with a CA of its own; a certificate of another CA, or for another host, is not trusted", { skip }, async () => {
  const { ca, strangerCa } = certificates();
  assert.equal(await overTls("server", { ca }), "yes");
  await assert.rejects(overTls("server", { ca: strangerCa }), fails("http-untrusted"));
  await assert.rejects(overTls("server", {}), fails("http-untrusted"), "nor is it by the system's CAs");
  await assert.rejects(overTls("elsewhere", { ca }), fails("http-untrusted"));
});

test("the environment cannot switch off the check of certificates", { skip }, async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    await assert.rejects(overTls("server", { ca: certificates().strangerCa }), fails("http-untrusted"));
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

test("a client certificate is shown where the server asks for one", { skip }, async () => {
  const { ca, server: pair, client: mine } = certificates();
  const tls = { cert: pair.certificate, key: pair.key, ca, requestCert: true, rejectUnauthorized: true };
  const { url } = await server(() => ({ status: 204 }), tls);
  assert.equal((await client({ url, ca, ...mine }).call("GET", [])).status, 204);
  await assert.rejects(client({ url, ca }).call("GET", []), HttpFailure);
});

test("a token is a bearer token; with a colon it is user and password (RFC 6750, RFC 7617)", async () => {
  const { url, seen } = await server(() => ({ status: 200 }));
  await client({ url, token: "abc.def" }).call("GET", []);
  await client({ url, token: "Aladdin:open sesame" }).call("GET", []);
  await client({ url }).call("GET", []);
  assert.deepEqual(
    seen.map(({ authorization }) => authorization),
    ["Bearer abc.def", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", undefined],
  );
});

test("parts of a path are encoded, and appended to the URL's with or without a slash at its end; JSON is ASCII", async () => {
  const { url, seen } = await server(() => ({ status: 200 }));
  await client({ url: `${url}/api/clients/` }).call("DELETE", ["urn:dev:a/b c?"]);
  await client({ url: `${url}/api/clients` }).call("PUT", [], { body: { é: "\u{1f600}" } });
  assert.deepEqual(
    seen.map(({ method, path, body }) => `${method} ${path} ${body}`),
    ["DELETE /api/clients/urn%3Adev%3Aa%2Fb%20c%3F ", 'PUT /api/clients {"\\u00e9":"\\ud83d\\ude00"}'],
  );
});

test("a redirect is an answer and is not followed", async () => {
  const target = await server(() => ({ status: 200 }));
  const { url } = await server((_, response) => void response.writeHead(307, { location: target.url }).end());
  assert.equal((await client({ url, token: "abc" }).call("PUT", [], { body: {} })).status, 307);
  assert.equal(target.connections, 0);
});

test("what never answers, answers too slowly or hangs up ends with an error, after one call", async () => {
  const silent = await server(() => undefined);
  await assert.rejects(client({ url: silent.url, timeout: 50 }).call("GET", []), fails("http-timeout"));
  const slow = await server((_, response) => void response.writeHead(200).write("a"));
  await assert.rejects(client({ url: slow.url, timeout: 50 }).call("GET", []), fails("http-timeout"));
  const hangsUp = await server((_, response) => void response.socket?.destroy());
  await assert.rejects(client({ url: hangsUp.url }).call("PUT", [], { body: {} }), fails("http-unreachable"));
  const endsEarly = await server(
    (_, response) => void response.writeHead(200, { "content-length": 9 }).write("abc", () => response.socket?.end()),
  );
  await assert.rejects(client({ url: endsEarly.url }).call("GET", []), fails("http-unreachable"));
  for (const { seen } of [silent, slow, hangsUp, endsEarly]) assert.equal(seen.length, 1);
  const closed = await server(() => undefined);
  await closed.close();
  await assert.rejects(client({ url: closed.url }).call("GET", []), fails("http-unreachable"));
});

test("a call can be cancelled", async () => {
  const { url } = await server(() => undefined);
  const cancel = new AbortController();
  const call = client({ url }).call("GET", [], { signal: cancel.signal });
  cancel.abort();
  await assert.rejects(call, fails("http-cancelled"));
});

test("connections are kept, and one the server has closed meanwhile costs no call", async () => {
  const one = await server(() => ({ status: 200 }));
  const mine = client({ url: one.url });
  for (let call = 0; call < 3; call++) await mine.call("GET", []);
  assert.equal(one.connections, 1);
  one.dropConnections();
  assert.equal((await mine.call("GET", [])).status, 200);
});

test("an answer that is too long is not read to its end", async () => {
  const { url } = await server(() => ({ status: 200, body: "x".repeat(1001) }));
  await assert.rejects(client({ url }).call("GET", []), fails("http-too-long"));
});

test("without TLS only this host may be called, and no URL says a password", () => {
  const refused = (url: string, words: RegExp): void =>
    assert.throws(
      () => client({ url }),
      (error: unknown) => error instanceof InvalidInput && words.test(error.message) && !error.message.includes("hunter2"),
    );
  refused("http://lwm2m.example.com/api", /lwm2m\.example\.com is without TLS/);
  refused("http://127.example.com/api", /without TLS/);
  refused("https://user:hunter2@example.com/api", /token/);
  refused("ftp://example.com/", /no https URL/);
  refused("nonsense", /no https URL/);
  for (const url of ["http://localhost:8080/a", "http://127.0.0.2/", "http://[::1]:8080", "https://example.com"]) {
    assert.doesNotThrow(() => client({ url }));
  }
});

test("an ETag is told, and what still has it is answered by 304 (RFC 9110 section 13.1.2)", async () => {
  const { url } = await server(({ ifNoneMatch }) => {
    return ifNoneMatch === '"one"' ? { status: 304 } : { status: 200, body: "[]", headers: { etag: '"one"' } };
  });
  const mine = client({ url });
  assert.deepEqual(await mine.call("GET", []), { status: 200, text: "[]", etag: '"one"' });
  assert.deepEqual(await mine.call("GET", [], { ifNoneMatch: '"one"' }), { status: 304, text: "" });
});
