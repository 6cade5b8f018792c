import assert from "node:assert/strict";
import { after, test } from "node:test";
import { LeshanSecurityStore, type SecurityStore, SecurityStoreError } from "../../src/bootstrap/index.ts";
import { fromHex } from "../../src/lib/bytes.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import { makeCertificates, type Script, ScriptedServer } from "../support/https.ts";
import { needs } from "../support/tools.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const ENTRY = { endpoint: "urn:dev:1", identity: "id-1", key: fromHex(KEY) };
const PATH = "/api/security/clients";
const opened: { close(): unknown }[] = [];
after(() => Promise.all(opened.map((one) => one.close())));

interface Client {
  readonly endpoint: string;
  readonly tls?: { readonly mode: string; readonly details?: { readonly identity: string; readonly key: string } };
  readonly psk?: { readonly identity: string; readonly key: string };
}

/**
 * Leshan's SecurityServlet over its InMemorySecurityStore. `tls` as of 2.0.0-M6, `psk` before; each reads and writes
 * its own and leaves out what else a PUT holds.
 */
function leshan(form: "tls" | "psk", clients: Map<string, Client> = new Map()): Script {
  return ({ method, path, body }) => {
    const named = decodeURIComponent(path.slice(PATH.length + 1));
    if (method === "GET" && path === PATH) return { status: 200, body: JSON.stringify([...clients.values()]) };
    if (method === "DELETE" && named !== "") {
      if (clients.delete(named)) return { status: 200 };
      return form === "tls" ? { status: 200, body: '{"message":"not_found"}' } : { status: 404 };
    }
    if (method !== "PUT" || path !== PATH) return { status: 400 };
    const { endpoint, tls, psk } = JSON.parse(body) as Client;
    const given = form === "tls" ? { endpoint, ...(tls && { tls }) } : { endpoint, ...(psk && { psk }) };
    const identity = form === "tls" ? tls?.details?.identity : psk?.identity;
    const holder = [...clients.values()].find((one) => (one.tls?.details ?? one.psk)?.identity === identity);
    if (identity !== undefined && holder !== undefined && holder.endpoint !== endpoint) {
      return { status: 400, body: `PSK Identity ${identity} is already used` };
    }
    clients.set(endpoint, given);
    return { status: 200 };
  };
}

async function site(
  script: Script,
  options: { readonly timeout?: number; readonly tls?: Parameters<typeof ScriptedServer.start>[1]; readonly ca?: string } = {},
): Promise<{ server: ScriptedServer; store: SecurityStore }> {
  const { tls, ...more } = options;
  const server = await ScriptedServer.start(script, tls);
  const store = new LeshanSecurityStore({ url: server.url + PATH, ...more });
  opened.push(server, store);
  return { server, store };
}

/** Rejects with that code, and the error says no key. */
async function refuses(put: Promise<unknown>, code: string, words: RegExp): Promise<void> {
  await assert.rejects(put, (error: unknown) => {
    assert.ok(error instanceof SecurityStoreError);
    assert.equal(error.code, code);
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, new RegExp(KEY, "i"));
    return true;
  });
}

const asTls = (endpoint: string, identity: string, key: string): Client => {
  return { endpoint, tls: { mode: "psk", details: { identity, key } } };
};

test("a key reaches Leshan 1.x and 2.0, and its undo leaves nothing behind where there was nothing", async () => {
  for (const form of ["tls", "psk"] as const) {
    const clients: Map<string, Client> = new Map();
    const { store, server } = await site(leshan(form, clients));
    const undo = await store.put(ENTRY);
    const { endpoint, identity } = ENTRY;
    const wanted = form === "tls" ? asTls(endpoint, identity, KEY) : { endpoint, psk: { identity, key: KEY } };
    assert.deepEqual([...clients.values()], [wanted]);
    await undo();
    assert.equal(clients.size, 0);
    await undo();
    assert.equal(server.seen.length, 3, "GET, PUT, DELETE: a second undo does nothing");
  }
});

test("undo puts back what was there, of whatever mode it is", async () => {
  for (const before of [
    asTls(ENTRY.endpoint, "id-0", "ff00"),
    { endpoint: ENTRY.endpoint, tls: { mode: "x509" } },
    { endpoint: ENTRY.endpoint, tls: { mode: "rpk", details: { key: "3059" } } },
  ]) {
    const other = asTls("urn:dev:2", "id-2", "aa");
    const clients = new Map<string, Client>([
      [ENTRY.endpoint, before as Client],
      [other.endpoint, other],
    ]);
    const { store } = await site(leshan("tls", clients));
    const undo = await store.put(ENTRY);
    assert.equal(clients.get(ENTRY.endpoint)?.tls?.details?.key, KEY);
    await undo();
    assert.deepEqual(clients.get(ENTRY.endpoint), before);
    assert.deepEqual(clients.get(other.endpoint), other);
  }
});

test("where the client has gone by itself, undo is content, with Leshan 1.x's 404 as with 2.0's 200", async () => {
  for (const form of ["tls", "psk"] as const) {
    const clients: Map<string, Client> = new Map();
    const { store } = await site(leshan(form, clients));
    const undo = await store.put(ENTRY);
    clients.clear();
    await undo();
  }
});

test("an identity that another client uses is an error in Leshan's words, and nothing is undone", async () => {
  const clients = new Map([["urn:dev:2", asTls("urn:dev:2", ENTRY.identity, "aa")]]);
  const { store, server } = await site(leshan("tls", clients));
  await refuses(store.put(ENTRY), "security-store-refused", /400: PSK Identity id-1 is already used/);
  assert.deepEqual(
    server.seen.map(({ method }) => method),
    ["GET", "PUT"],
  );
  assert.equal(clients.size, 1);
});

test("words of a refusal that repeat the key, or are a page, are not told", async () => {
  for (const words of [`Invalid request body: ${KEY.toUpperCase()}`, "<html>Jetty</html>"]) {
    const { store } = await site(({ method }) => (method === "GET" ? { status: 200, body: "[]" } : { status: 400, body: words }));
    await refuses(store.put(ENTRY), "security-store-refused", /HTTP status 400$/);
  }
});

test("401, 403, 500, 503 and a redirect fail the put after one call", async () => {
  for (const status of [401, 403, 500, 503, 302]) {
    const { store, server } = await site(() => ({ status }));
    const code = status >= 500 ? "security-store-failed" : "security-store-refused";
    await refuses(store.put(ENTRY), code, new RegExp(`GET with HTTP status ${status}$`));
    assert.equal(server.seen.length, 1);
  }
});

test("what is no list of clients is refused, and not repeated: it may hold keys", async () => {
  for (const body of ["", "<html>", "{}", `[{"endpoint":1,"key":"${KEY}"}]`]) {
    const { store } = await site(() => ({ status: 200, body }));
    await refuses(store.put(ENTRY), "security-store-refused", /is no list of clients$/);
  }
});

test("a PUT without an answer is taken back, as it may have been taken", async () => {
  // The first is made on the kept connection of the GET, so it is made once more.
  const clients = new Map([[ENTRY.endpoint, asTls(ENTRY.endpoint, "id-0", "ff00")]]);
  const normal = leshan("tls", clients);
  let puts = 0;
  const { store } = await site((request, response) => {
    const answer = normal(request, response);
    return request.method === "PUT" && puts++ < 2 ? void response.socket?.destroy() : answer;
  });
  await refuses(store.put(ENTRY), "security-store-unreachable", /hang up/);
  assert.deepEqual(clients.get(ENTRY.endpoint), asTls(ENTRY.endpoint, "id-0", "ff00"));
});

test("a PUT answered 5xx is taken back, as it may have been taken", async () => {
  for (const before of [undefined, asTls(ENTRY.endpoint, "id-0", "ff00")]) {
    const clients = new Map(before === undefined ? [] : [[ENTRY.endpoint, before]]);
    const normal = leshan("tls", clients);
    let puts = 0;
    const { store } = await site((request, response) => {
      const answer = normal(request, response);
      return request.method === "PUT" && puts++ === 0 ? { status: 500 } : answer;
    });
    await refuses(store.put(ENTRY), "security-store-failed", /PUT with HTTP status 500$/);
    assert.deepEqual(clients.get(ENTRY.endpoint), before);
  }
});

test("a PUT that may have been taken and cannot be taken back is an error of its own", async () => {
  const normal = leshan("tls");
  const { store } = await site((request, response) => {
    const answer = normal(request, response);
    return request.method === "GET" ? answer : { status: request.method === "PUT" ? 502 : 503 };
  });
  await refuses(
    store.put(ENTRY),
    "security-store-left-open",
    /PUT with HTTP status 502, and it may hold a key: .*DELETE .* 503$/,
  );
});

test("an undo that failed can be tried again", async () => {
  const clients: Map<string, Client> = new Map();
  const normal = leshan("tls", clients);
  let deletes = 0;
  const { store } = await site((request, response) => {
    return request.method === "DELETE" && deletes++ === 0 ? { status: 503 } : normal(request, response);
  });
  const undo = await store.put(ENTRY);
  await assert.rejects(undo(), SecurityStoreError);
  await undo();
  assert.equal(clients.size, 0);
});

test("a store that is silent costs one call per put at most, and each put ends in its time", async () => {
  const { store, server } = await site(() => undefined, { timeout: 100 });
  const puts = Array.from({ length: 50 }, (_, index) => store.put({ ...ENTRY, endpoint: `urn:dev:${index}` }));
  await Promise.all(puts.map((put) => refuses(put, "security-store-unreachable", /no answer in 100 ms/)));
  assert.ok(server.seen.length <= 2, `${server.seen.length} calls`);
});

test("a put can be cancelled while it waits for the list", async () => {
  const { store } = await site(() => undefined);
  const cancel = new AbortController();
  const put = store.put(ENTRY, cancel.signal);
  cancel.abort();
  await refuses(put, "security-store-unreachable", /cancelled/);
  await refuses(store.put(ENTRY, cancel.signal), "security-store-unreachable", /cancelled/);
});

test("puts at the same time share lists, and each has the state of its own time to go back to", async () => {
  const clients: Map<string, Client> = new Map();
  const { store, server } = await site(leshan("tls", clients));
  const endpoints = Array.from({ length: 40 }, (_, index) => `urn:dev:${index}`);
  const entries = endpoints.map((endpoint) => ({ ...ENTRY, endpoint, identity: endpoint }));
  const undos = await Promise.all(entries.map((entry) => store.put(entry)));
  assert.equal(clients.size, 40);
  const lists = server.seen.filter(({ method }) => method === "GET").length;
  assert.ok(lists <= 2, `${lists} lists`);
  const again = await store.put({ ...ENTRY, endpoint: "urn:dev:0", identity: "other" });
  await again();
  assert.equal(clients.get("urn:dev:0")?.tls?.details?.identity, "urn:dev:0");
  await Promise.all(undos.map((undo) => undo()));
  assert.equal(clients.size, 0);
});

test("an endpoint name is one part of the path, whatever it holds", async () => {
  const clients: Map<string, Client> = new Map();
  const { store } = await site(leshan("tls", clients));
  const undo = await store.put({ ...ENTRY, endpoint: "a/../b?c=d #é" });
  assert.ok(clients.has("a/../b?c=d #é"));
  await undo();
  assert.equal(clients.size, 0);
});

test("where a name cannot stand in a path, as with / and Jetty 12 of Leshan 2.0.0-M18, undo leaves a key that nobody knows", async () => {
  const clients: Map<string, Client> = new Map();
  const normal = leshan("tls", clients);
  const { store } = await site((request, response) =>
    request.path.includes("%2F") ? { status: 400 } : normal(request, response),
  );
  const undo = await store.put({ ...ENTRY, endpoint: "a/b" });
  await undo();
  const left = clients.get("a/b")?.tls?.details;
  assert.equal(left?.identity, ENTRY.identity);
  assert.match(left?.key ?? "", /^[0-9a-f]{64}$/);
});

test("a name that would stand for the whole collection is refused before anything is called", async () => {
  for (const endpoint of ["", ".", ".."]) {
    const { store, server } = await site(leshan("tls"));
    await refuses(store.put({ ...ENTRY, endpoint }), "security-store-refused", /cannot be named in a path/);
    assert.equal(server.seen.length, 0);
  }
});

test("over HTTPS with a CA of its own, and not to a server of another", { skip: needs("openssl", "openssl") }, async () => {
  const { ca, strangerCa, server } = makeCertificates();
  const tls = { cert: server.certificate, key: server.key };
  await (await site(leshan("tls"), { tls, ca })).store.put(ENTRY);
  const stranger = await site(leshan("tls"), { tls, ca: strangerCa });
  await refuses(stranger.store.put(ENTRY), "security-store-unreachable", /self-signed|issuer|verify/);
  assert.equal(stranger.server.seen.length, 0);
});

test("keys do not travel without TLS to another host", () => {
  assert.throws(() => new LeshanSecurityStore({ url: "http://lwm2m.example.com/api/security/clients" }), InvalidInput);
});
