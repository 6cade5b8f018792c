import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { prepareZone, type Registry } from "../dns/index.ts";
import { addressAndPort } from "../lib/address.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { hostPattern } from "../naming/index.ts";
import { askUdp, DnsConnection, pause, systemClock, systemRandom, Ticker } from "../net/index.ts";
import { openNotifySocket, placeOf } from "./notify-socket.ts";
import { ownsByPattern } from "./owned-names.ts";
import { PrimaryRegistry } from "./primary.ts";
import type { RegistryTask } from "./registry-task.ts";
import { Rfc2136Registry } from "./rfc2136.ts";
import { type Methods, Rpc } from "./rpc.ts";
import type { PrimaryMemory } from "./serial-keeper.ts";

// The thread a registry lives in: a million names keep it busy for seconds, in which the main thread goes on answering.

/** Messages of a transfer are handed over together, in about so many bytes. */
const TOGETHER = 256 * 1024;
const CONNECT_WITHIN = 5000;
const ANSWER_WITHIN = 10_000;
/** Names wait for it when a balancer begins. */
const SECONDARY_ANSWERS_WITHIN = 1000;

const task = workerData as RegistryTask;
const tell =
  (level: keyof Logger) =>
  (fields: LogFields, message: string): void =>
    rpc.tell("log", level, fields, message);
const log: Logger = { debug: tell("debug"), info: tell("info"), warn: tell("warn"), error: tell("error") };
const responses = new Map<number, AsyncIterator<Uint8Array>>();

let registry: Registry;
const rpc = new Rpc(parentPort as MessagePort, {
  replace: (limit: number) => registry.replace(desired(), limit),
  write: (states: Uint8Array) => registry.write(states),
  close: () => registry.close(),
  ...(task.kind === "primary" ? await primary(task) : rfc2136(task)),
});
rpc.tell("ready");

/** What the main thread gives, piece by piece. */
async function* desired(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const states = await rpc.call<Uint8Array | undefined>("nextStates");
    if (states === undefined) return;
    yield states;
  }
}

function rfc2136({ server, key, zone, ttl, owner, recipe, uri }: Extract<RegistryTask, { kind: "rfc2136" }>): Methods {
  registry = new Rfc2136Registry({
    connect: () => DnsConnection.open(server, CONNECT_WITHIN),
    ...{ key, zone, ttl, owner, log, pause },
    server: addressAndPort(server),
    owns: ownsByPattern(hostPattern(recipe, uri), zone),
    random: systemRandom,
    clock: systemClock,
    timeout: ANSWER_WITHIN,
  });
  // What a lost lease means for updates is said by the owner record.
  return { suspend: () => {} };
}

async function primary({ zone, key, secondaries }: Extract<RegistryTask, { kind: "primary" }>): Promise<Methods> {
  const socket = await openNotifySocket(secondaries, (message) => hidden.notified(message));
  const hidden = new PrimaryRegistry({
    zone: prepareZone(zone),
    ...{ key, secondaries, log },
    send: socket.send,
    ask: (secondary, message) => askUdp(placeOf(secondary), message, SECONDARY_ANSWERS_WITHIN),
    store: {
      load: () => rpc.call<PrimaryMemory | undefined>("loadMemory"),
      save: (memory) => rpc.call("saveMemory", memory),
    },
    random: systemRandom,
    clock: systemClock,
  });
  registry = hidden;
  new Ticker(systemClock).add(hidden);
  let lastResponse = 0;
  return {
    suspend: () => hidden.suspend(),
    respond: (message: Uint8Array, transport: "udp" | "tcp") => {
      responses.set(++lastResponse, hidden.respond(message, transport)[Symbol.asyncIterator]());
      return lastResponse;
    },
    nextMessages: async (id: number) => {
      const response = responses.get(id);
      const messages: Uint8Array[] = [];
      for (let bytes = 0; response !== undefined && bytes < TOGETHER; ) {
        const { value, done } = await response.next();
        if (done) {
          responses.delete(id);
          return { messages, done: true };
        }
        messages.push(value);
        bytes += value.length;
      }
      return { messages, done: response === undefined };
    },
    endMessages: async (id: number) => {
      await responses.get(id)?.return?.();
      responses.delete(id);
    },
  };
}
