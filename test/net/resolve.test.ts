import assert from "node:assert/strict";
import { test } from "node:test";
import { openUdp, ResolveError, resolveHost } from "../../src/net/index.ts";

/** Answers every query with an rcode and no record. */
function nameserver(rcode: number): ReturnType<typeof openUdp> {
  const server = openUdp({
    address: "127.0.0.1",
    port: 0,
    onDatagram: (query, address, port) => {
      const answer = Buffer.from(query);
      answer.writeUInt16BE(0x8400 | rcode, 2);
      void server.then((socket) => socket.send(answer, port, address));
    },
  });
  return server;
}

test("literal addresses are their own answer", async () => {
  assert.deepEqual(await resolveHost("127.0.0.11"), { ipv4: ["127.0.0.11"], ipv6: [] });
  assert.deepEqual(await resolveHost("[::1]"), { ipv4: [], ipv6: ["::1"] });
});

test("a name that is not there is told from a resolver that fails; neither repeats the name (D7)", async () => {
  for (const [rcode, code] of [
    [3, "name-not-found"],
    [2, "resolver-failed"],
  ] as const) {
    const server = await nameserver(rcode);
    await assert.rejects(resolveHost("bssecret.bs.example.com", [`127.0.0.1:${server.port}`]), (error: unknown) => {
      assert.ok(error instanceof ResolveError);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /bssecret/);
      return true;
    });
    await server.close();
  }
});
