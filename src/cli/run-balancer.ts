import { hostname } from "node:os";
import { Balancer, checkTiming, controlHandlers, fencedStorage, Lease, SourceFollower } from "../balancer/index.ts";
import { ZoneTable } from "../dns/index.ts";
import { isLoopback } from "../lib/address.ts";
import { toHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Nameserver } from "../nameserver/index.ts";
import { breathe, monotonicClock, serveControl, systemClock, systemRandom, Ticker } from "../net/index.ts";
import { loadSecretBox, openStorage, type StorageOptions } from "../storage/index.ts";
import { openAllocation } from "./allocation.ts";
import type { Config } from "./config.ts";
import { readToken } from "./connect.ts";
import { loadObjects } from "./objects.ts";
import { readPair } from "./pem-files.ts";
import { checkFile, profileReader } from "./profiles.ts";
import { openRegistry } from "./registry.ts";
import { openSources } from "./sources.ts";
import { zoneOptionsOf } from "./zone-options.ts";

/** A running balancer. */
export interface RunningBalancer {
  /** Resolves if another balancer has taken the lease: this one changes nothing any more, and is to be stopped. */
  readonly lost: Promise<void>;
  stop(): Promise<void>;
}

/** Where a PostgreSQL URL may stand instead of the configuration, as it holds a password. */
const DATABASE_VARIABLE = "BERTH_DATABASE_URL";
/** Instances end a session at its deadline; the news of it takes a moment. */
const NEWS_TAKES = 30_000;

/**
 * Starts balancer, nameserver and control API. While another balancer leads on the same database, waits.
 * @param signal gives up waiting
 * @throws InvalidInput, StorageError, CannotListen, BerthError `aborted`
 */
export async function runBalancer(config: Config, log: Logger, signal?: AbortSignal): Promise<RunningBalancer> {
  const { dns, epochs, rotation, rearm, margins, control, instances, session, zone, recipe } = config;
  const timing = { ttl: dns.ttl, skew: epochs.skew, ...margins, rotateEvery: rotation.every };
  checkTiming(recipe, timing);
  const tokens = {
    operator: readToken(control.operatorToken, "operatorToken"),
    instance: readToken(control.instanceToken, "instanceToken"),
  };
  if (control.tls === undefined && !isLoopback(control.listen.address)) {
    throw new InvalidInput(
      `control.listen: ${control.listen.address} can be reached from outside, and keys travel over it: set control.tls, or listen on 127.0.0.1`,
    );
  }
  const tls = tlsOf(control.tls);
  const readProfile = profileReader({
    objects: loadObjects(config.objects),
    securityStores: new Set(Object.keys(config.securityStores)),
  });
  const profiles = Object.entries(config.profiles).flatMap(([name, path]) => checkFile(name, path, readProfile));
  const sources = openSources(config.sources);
  const allocation = await openAllocation(config.allocation);
  const where = storageOf(config);
  const box = loadSecretBox(config.storage.key === undefined ? {} : { file: config.storage.key });
  // Whoever takes over with the same database and key gives names the same addresses.
  const addressKey = box.derive("addresses of names within IPv6 prefixes", 16);
  const followed = dns.registry !== "embedded";
  const table = new ZoneTable({ zone, seed: systemRandom.bytes(16), addressKey, followed, shared: dns.threads > 1 });
  const zoneOptions = zoneOptionsOf(config);
  const database = await openStorage(where, box);
  const undo: (() => Promise<void>)[] = [() => database.close()];
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    // One that fails does not keep the others from their end, nor this process.
    for (const step of undo.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const lease = await Lease.take({
      storage: database,
      holder: `${hostname()} ${process.pid} ${toHex(systemRandom.bytes(4))}`,
      // The folder of an embedded database is open in one process only.
      exclusive: where.kind !== "postgres",
      time: monotonicClock,
      log,
      signal,
    });
    undo.push(() => lease.release());
    const leaseTicker = new Ticker(monotonicClock, 100);
    leaseTicker.add(lease);
    undo.push(async () => leaseTicker.stop());
    const storage = fencedStorage(database.heldBy(lease.held), lease);
    let steps: () => readonly string[] = () => [];
    let unstored = (): number => 0;
    const registry = await openRegistry(config, {
      ...{ table, storage, log },
      zone: zoneOptions,
      term: lease.term,
      mayWrite: () => lease.mayWrite,
      steps: () => steps(),
      unstored: () => unstored(),
    });
    if (registry !== undefined) undo.push(() => registry.publication.close());
    const balancer: Balancer = await Balancer.start({
      uri: config.uri,
      recipe,
      timing,
      sessionDeadline: session.deadline + NEWS_TAKES,
      heartbeat: instances.heartbeat,
      lostAfter: instances.lostAfter,
      returning: {
        rotateOnJoin: rotation.onJoin,
        ...(instances.onReturn === undefined ? {} : { onReturn: instances.onReturn }),
      },
      table,
      storage,
      allocation,
      readProfile,
      rearm: rearm.policy === "always" ? [{ after: 0 }] : rearm.rules,
      brake: dns.brake,
      publication: registry?.publication,
      clock: systemClock,
      breathe,
      log,
    });
    undo.push(() => balancer.idle());
    steps = () => balancer.publisher.steps.map((step) => JSON.stringify(step));
    // What names are made of and lead to is changed in memory at once, and stored later.
    unstored = () => Math.min(1, balancer.registrar.unsaved / Math.max(1, balancer.fleet.named));
    balancer.noteLease(lease);
    for (const { name, profile, warnings } of profiles) {
      await balancer.putProfile(name, profile);
      for (const warning of warnings) log.warn({ profile: name }, warning);
    }
    const ticker = new Ticker(systemClock);
    ticker.add(balancer);
    undo.push(async () => ticker.stop());
    for (const each of sources) {
      const follower = await SourceFollower.start({ ...each, balancer, storage, clock: systemClock, breathe, log });
      undo.push(() => follower.close());
      ticker.add(follower);
    }
    // Where a primary takes updates, resolvers ask that one.
    if (dns.registry !== "rfc2136") {
      const { listen, limits, threads } = dns;
      const nameserver = await Nameserver.start({
        zone: zoneOptions,
        table,
        listen,
        limits,
        threads,
        log,
        transfers: registry?.transfers,
      });
      undo.push(() => nameserver.close());
    }
    if (registry !== undefined) ticker.add(registry.publication);
    const server = await serveControl({
      ...control.listen,
      ...(tls === undefined ? {} : { tls }),
      tokens,
      handlers: controlHandlers(balancer),
      log,
    });
    undo.push(() => server.close());
    log.info({ zone, registry: dns.registry, control: control.listen }, "balancer is up");
    return { stop, lost: new Promise((resolve) => lease.onLost(resolve)) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function tlsOf(files: Config["control"]["tls"]): { readonly cert: string; readonly key: string } | undefined {
  if (files === undefined) return undefined;
  const { certificate, privateKey } = readPair(["control.tls.cert", files.cert], ["control.tls.key", files.key]);
  return { cert: certificate, key: privateKey };
}

function storageOf(config: Config): StorageOptions {
  const url = process.env[DATABASE_VARIABLE] ?? config.storage.postgres;
  if (url !== undefined) return { kind: "postgres", url };
  if (config.storage.folder === undefined) {
    throw new InvalidInput("storage: give a folder for the embedded database, or a postgres URL");
  }
  return { kind: "pglite", folder: config.storage.folder };
}
