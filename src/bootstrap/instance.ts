import type { Declared, InstanceAddresses, InstanceLoad } from "../control/index.ts";
import { loadOpenSsl, type ServerX509 } from "../dtls/index.ts";
import { addressAndPort } from "../lib/address.ts";
import { toHex } from "../lib/bytes.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import { pause, Ticker } from "../net/index.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import { BACKOFF_LIMITS, Backoff, type BackoffLimits } from "./backoff.ts";
import { type BalancerApi, BalancerLink } from "./balancer-link.ts";
import { DeviceLog } from "./device-log.ts";
import { DeviceDirectory } from "./directory.ts";
import { type DtlsMaterial, openCoapsListener } from "./dtls-listener.ts";
import { type Listener, type ListenerContext, type OpenListener, openCoapListener, survive } from "./listeners.ts";
import { Lookups } from "./lookups.ts";
import { NotificationQueue } from "./notification-queue.ts";
import { Notifier } from "./notifier.ts";
import type { SecurityStore } from "./security-store.ts";
import { BootstrapService } from "./service.ts";

/** Options of {@link BootstrapInstance.start}. */
export interface InstanceOptions {
  /** The instance's name at the balancer. */
  readonly id: string;
  readonly listeners: readonly Listener[];
  /** How devices may prove themselves on the `coaps` listeners; by pre-shared keys if not given. */
  readonly dtls?: DtlsMaterial;
  /** How much is taken on at a time; what this host can do if not given. */
  readonly admission?: Pick<AdmissionOptions, "handshakesPerSecond" | "sessions">;
  /** Where fresh keys go, by the names profiles give them. */
  readonly securityStores?: ReadonlyMap<string, SecurityStore>;
  /** The addresses names of this instance's devices are to have in DNS. */
  readonly advertise: InstanceAddresses;
  /** What it says that it is, for devices to be allocated by; nothing if not given. */
  readonly declared?: Declared;
  readonly control: BalancerApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How long a session may take; 60 s if not given. */
  readonly sessionDeadline?: Milliseconds;
  /** How soon and how slowly the balancer is tried again; 0.2 s to 5 s if not given. */
  readonly backoff?: BackoffLimits;
  /** How many notifications may wait for the balancer; 100,000 if not given, some 25 MB. */
  readonly maxNotifications?: number;
}

const MAX_NOTIFICATIONS = 100_000;
const SUMMARY_EVERY: Milliseconds = 10_000;
/** How long a stop waits for sessions in progress, and then for the balancer to take the last notifications. */
const STOP_SESSIONS: Milliseconds = 5000;
/** How long for security stores to get back what they had. */
const STOP_HAND_OVERS: Milliseconds = 10_000;
const MEASURE_EVERY: Milliseconds = 100;
/** It costs a fifth of a millisecond to ask, as several files have to be read. */
const MEASURE_MEMORY_EVERY: Milliseconds = 1000;
const AUTO: Pick<AdmissionOptions, "handshakesPerSecond" | "sessions"> = { handshakesPerSecond: "auto", sessions: "auto" };
const STOP_NOTIFICATIONS: Milliseconds = 3000;

/** A running bootstrap server instance: listeners, sessions, and the link with the balancer (S1-S4). */
export class BootstrapInstance {
  readonly #options: InstanceOptions;
  readonly #time: Clock;
  readonly #deviceLog: DeviceLog;
  readonly #directory: DeviceDirectory;
  readonly #queue: NotificationQueue;
  readonly #service: BootstrapService;
  readonly #admission: Admission;
  readonly #link: BalancerLink;
  readonly #notifier: Notifier;
  readonly #ticker: Ticker;
  readonly #open: OpenListener[] = [];
  #summary: NodeJS.Timeout | undefined;
  #measuring: NodeJS.Timeout | undefined;
  #memory: { readonly free: number; readonly until: Instant } = { free: 0, until: 0 };
  #summarised = "";
  #cpu: NodeJS.CpuUsage = process.cpuUsage();
  #cpuAt: number;
  #stopping: Promise<void> | undefined;

  private constructor(options: InstanceOptions) {
    const { id, control, clock, random, log } = options;
    const boot = toHex(random.bytes(12));
    const backoff = options.backoff ?? BACKOFF_LIMITS;
    this.#options = options;
    this.#time = new SteadyClock(clock);
    this.#cpuAt = this.#time.now();
    this.#deviceLog = new DeviceLog(log, clock, random);
    this.#directory = new DeviceDirectory(log);
    this.#queue = new NotificationQueue(options.maxNotifications ?? MAX_NOTIFICATIONS);
    const lookups = new Lookups({
      directory: this.#directory,
      ask: (lookup) => this.#link.lookup(lookup),
      clock: this.#time,
      log: this.#deviceLog,
    });
    this.#service = new BootstrapService({
      directory: this.#directory,
      lookups,
      report: (report) => this.#queue.add(report),
      log: this.#deviceLog,
      clock,
      time: this.#time,
      random,
      boot,
      ...(options.securityStores === undefined ? {} : { securityStores: options.securityStores }),
      ...(options.sessionDeadline === undefined ? {} : { sessionDeadline: options.sessionDeadline }),
    });
    this.#admission = new Admission({
      ...(options.admission ?? AUTO),
      inProgress: () => this.#associations + this.#service.unsecured,
    });
    this.#link = new BalancerLink({
      id,
      boot,
      addresses: options.advertise,
      declared: options.declared ?? {},
      control,
      directory: this.#directory,
      isServing: (endpoint) => this.#service.isServing(endpoint),
      load: () => this.#load(),
      random,
      log,
      backoff,
    });
    this.#notifier = new Notifier({
      queue: this.#queue,
      send: (notifications) => this.#link.notify(notifications),
      unknown: () => this.#link.registerAgain(),
      backoff: new Backoff(backoff, random),
      time: this.#time,
      log,
    });
    this.#ticker = new Ticker(this.#time);
    this.#lookups = lookups;
  }

  readonly #lookups: Lookups;

  /**
   * Opens the listeners, and then gets in touch with the balancer; it need not be up yet.
   * @throws CannotListen, and if a listener is `coaps`: OpenSslUnavailable, OpenSslTooOld, and the errors of `DtlsServer` for
   * certificates or keys that cannot be used
   */
  static async start(options: InstanceOptions): Promise<BootstrapInstance> {
    const instance = new BootstrapInstance(options);
    try {
      await instance.#listen();
    } catch (error) {
      await instance.#close();
      throw error;
    }
    instance.#link.start();
    instance.#notifier.start();
    return instance;
  }

  /** Where it listens, with the ports it got. */
  get listeners(): readonly Listener[] {
    return this.#open.map(({ listener }) => listener);
  }

  /** Devices it knows at present. */
  get devices(): number {
    return this.#directory.size;
  }

  /**
   * New certificates or revocation lists, for handshakes from now on; associations go on.
   * @throws the errors of `DtlsServer` when they cannot be used; those before stay in use then
   */
  replaceX509(x509: ServerX509): void {
    for (const open of this.#open) open.replaceX509(x509);
  }

  /**
   * Leaves cleanly: takes no new handshakes, waits a while for the sessions in progress, hands over the last
   * notifications, takes leave of the balancer, closes.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #listen(): Promise<void> {
    const context: ListenerContext = {
      service: this.#service,
      lookups: this.#lookups,
      admission: this.#admission,
      ticker: this.#ticker,
      clock: this.#options.clock,
      time: this.#time,
      random: this.#options.random,
      log: this.#deviceLog,
    };
    const { listeners, dtls = {} } = this.#options;
    for (const listener of listeners) {
      const secured = listener.scheme === "coaps";
      const open = secured ? openCoapsListener(listener, loadOpenSsl(), dtls, context) : openCoapListener(listener, context);
      this.#open.push(await open);
    }
    this.#measuring = setInterval(() => this.#measure(), MEASURE_EVERY);
    this.#ticker.add({
      nextDeadline: () => this.#admission.nextDeadline(),
      tick: (now) => survive(this.#deviceLog, () => this.#admission.tick(now)),
    });
    this.#ticker.add({
      nextDeadline: () => this.#service.nextDeadline(),
      tick: (now) => survive(this.#deviceLog, () => this.#service.tick(now)),
    });
    this.#summary = setInterval(() => this.#summarise(), SUMMARY_EVERY);
    this.#options.log.info({ instance: this.#options.id, listeners: this.listeners.map(uriOf) }, "the instance listens");
  }

  async #stop(): Promise<void> {
    for (const open of this.#open) open.drain();
    const until = this.#time.now() + STOP_SESSIONS;
    while (this.#service.counts.sessions > 0 && this.#time.now() < until) await pause(20);
    this.#service.stop(this.#time.now());
    await this.#takeBackKeys();
    await this.#notifier.stop(STOP_NOTIFICATIONS);
    await this.#link.stop();
    await this.#close();
    this.#summarise();
  }

  async #close(): Promise<void> {
    clearInterval(this.#summary);
    clearInterval(this.#measuring);
    await Promise.all(this.#open.map((open) => open.close()));
    this.#ticker.stop();
  }

  /** Sessions that were ended by the stop may have handed over keys their devices will not get. */
  async #takeBackKeys(): Promise<void> {
    const until = this.#time.now() + STOP_HAND_OVERS;
    while (this.#service.handOvers > 0 && this.#time.now() < until) await pause(20);
    const endpoints = this.#service.handOvers;
    if (endpoints > 0) this.#options.log.error({ endpoints }, "stopped before all fresh keys were taken back");
  }

  #measure(): void {
    const { idle } = performance.eventLoopUtilization();
    const { completed, failed } = this.#service.counts;
    const { user, system } = process.cpuUsage();
    const now = this.#time.now();
    if (now >= this.#memory.until) this.#memory = { free: process.availableMemory(), until: now + MEASURE_MEMORY_EVERY };
    const counters = { handshakes: this.#handshakes, ended: completed + failed };
    this.#admission.measure({ idle, cpu: (user + system) / 1000, ...counters, memory: this.#memory.free }, now);
  }

  #load(): InstanceLoad {
    const now = this.#time.now();
    const used = process.cpuUsage(this.#cpu);
    const cpu = now > this.#cpuAt ? (used.user + used.system) / 1000 / (now - this.#cpuAt) : 0;
    this.#cpu = process.cpuUsage();
    this.#cpuAt = now;
    return { ...this.#service.counts, handshakes: this.#handshakes, cpu, admission: this.#admission.load() };
  }

  get #handshakes(): number {
    return this.#open.reduce((sum, { handshakes }) => sum + handshakes, 0);
  }

  get #associations(): number {
    return this.#open.reduce((sum, open) => sum + open.associations, 0);
  }

  /** One line for all devices of the last seconds, if anything has happened. */
  #summarise(): void {
    const counts = { ...this.#service.counts, handshakes: this.#handshakes, associations: this.#associations };
    const text = JSON.stringify(counts);
    const suppressed = this.#deviceLog.takeSuppressed();
    if (text === this.#summarised && suppressed === 0) return;
    this.#summarised = text;
    const { size: waiting, dropped } = this.#queue;
    this.#options.log.info(
      {
        ...counts,
        devices: this.#directory.size,
        waiting,
        ...(dropped === 0 ? {} : { dropped }),
        ...(suppressed === 0 ? {} : { suppressed }),
      },
      "bootstraps so far",
    );
  }
}

function uriOf({ scheme, address, port }: Listener): string {
  return `${scheme}://${addressAndPort({ address, port })}`;
}
