import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { prepareZone, SharedNames } from "../dns/index.ts";
import type { Logger } from "../lib/log.ts";
import { systemClock } from "../net/index.ts";
import { floodTeller } from "./flood-teller.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Responder } from "./responder.ts";
import { dailySecrets, ServerCookies } from "./server-cookies.ts";
import { Networks } from "./source.ts";
import type { NameserverStats } from "./stats.ts";
import type { FromThread, ThreadTask, ToThread } from "./thread-task.ts";
import { answerUdp } from "./udp.ts";

// One more thread that answers over UDP, out of the memory that the zone table shares.

const port = parentPort as MessagePort;
const tell = (message: FromThread): void => port.postMessage(message);
const nothing = (): void => {};
const log: Logger = { debug: nothing, info: nothing, warn: (fields, warn) => tell({ warn, fields }), error: nothing };

const { zone, names, listen, limits, seed, master } = workerData as ThreadTask;
const table = new SharedNames(names);
const stats = (): NameserverStats => responder.stats;
const responder: Responder = new Responder({
  zone: prepareZone(zone),
  table,
  limiter: new RateLimiter(limits, new Networks(limits.exempt), seed),
  cookies: new ServerCookies(dailySecrets(master)),
  idle: limits.idle,
  onLimited: floodTeller(log, stats),
});
port.on("message", (message: ToThread) => {
  if ("names" in message) table.follow(message.names);
  else tell({ stats: stats() });
});
for (const each of listen) await answerUdp(each, { responder, clock: systemClock, log, shared: true });
tell({ ready: true });
