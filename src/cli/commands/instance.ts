import { type Command, InvalidArgumentError } from "commander";
import { BootstrapInstance, type Listener } from "../../bootstrap/index.ts";
import { type Declared, DeclaredSchema } from "../../control/index.ts";
import type { ServerX509 } from "../../dtls/index.ts";
import { InvalidInput } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { parseWith } from "../../lib/schema.ts";
import { prepareNaming } from "../../naming/index.ts";
import { systemClock, systemRandom } from "../../net/index.ts";
import { CertificateWatch } from "../certificate-watch.ts";
import { type Config, needConfig } from "../config.ts";
import type { DtlsFiles } from "../config-schema.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { readDtls } from "../dtls-files.ts";
import { createLogger } from "../log.ts";
import { openSecurityStores } from "../security-stores.ts";
import { untilTold } from "../until-told.ts";
import { type Whereabouts, whereaboutsOf } from "../whereabouts.ts";

interface InstanceCommandOptions extends ConnectOptions {
  readonly id: string;
  readonly listen?: readonly string[];
  readonly prefix?: string;
  readonly advertise?: readonly string[];
  readonly nosec?: true;
  readonly weight?: number;
  readonly region?: string;
  readonly location?: readonly [number, number];
  readonly pool?: readonly string[];
  readonly room?: number;
}

/** Default ports of `coaps` and `coap` (RFC 7252 section 6). */
const DEFAULT_PORTS = { coaps: 5684, coap: 5683 } as const;
/** How often the files of certificates are looked at, ms. */
const LOOK_EVERY = 60_000;

/** `berth instance`: one bootstrap server. */
export function addInstance(program: Command): void {
  program
    .command("instance")
    .description("run one bootstrap server instance")
    .requiredOption("--id <id>", "its name at the balancer")
    .option(
      "--listen <address...>",
      "addresses to serve devices on, IPv4 or IPv6; the port is that of the static URI (default: what instances.local says)",
    )
    .option("--advertise <address...>", "addresses devices reach it at, one of a family (default: those it listens on)")
    .option(
      "--prefix <prefix>",
      "an IPv6 prefix routed here, such as 2001:db8:1:2::/64: each device gets an address of its own in it",
    )
    .option("--nosec", "serve coap: without security too, on its default port or that of a coap: URI")
    .option("--weight <n>", "how many devices it is to have relative to the others (default: 1)", Number)
    .option("--region <name>", "the region it is in")
    .option("--location <lat,lon>", "where it is, in degrees, such as 52.5,13.4", parseLocation)
    .option("--pool <name>", "a pool it belongs to; may be given several times", (name, before: string[] = []) => [
      ...before,
      name,
    ])
    .option("--room <n>", "the most names it wants", Number)
    .option("-c, --config <file>", "configuration (default: berth.yaml)")
    .option("--url <url>", "the balancer's control API")
    .option("--token-file <file>", "file with the instances' token")
    .action(async (options: InstanceCommandOptions) => {
      const config = needConfig(options.config);
      const log = createLogger(options.id, config.log.level);
      const { handshakes, sessions } = config.admission;
      const securityStores = openSecurityStores(config.securityStores);
      const dtls = readDtls(config.dtls);
      const whereabouts = whereaboutsOf(config, options);
      const instance = await BootstrapInstance.start({
        id: options.id,
        listeners: listenersOf(config, whereabouts, options.nosec),
        advertise: whereabouts.advertise,
        declared: declaredBy(config, options),
        control: connect(options, "instance"),
        clock: systemClock,
        random: systemRandom,
        log,
        sessionDeadline: config.session.deadline,
        dtls,
        admission: { handshakesPerSecond: handshakes, sessions },
        securityStores,
      });
      const unfollow = followCertificates(config.dtls, dtls.x509, instance, log);
      await untilTold(log);
      unfollow();
      await instance.stop();
      for (const store of securityStores.values()) store.close();
    });
}

/** Reads certificates again at SIGHUP, and when their files were replaced. Returns what ends that. */
function followCertificates(
  files: DtlsFiles,
  x509: ServerX509 | undefined,
  instance: BootstrapInstance,
  log: Logger,
): () => void {
  if (x509 === undefined) return () => {};
  const replace = (fresh: ServerX509): void => instance.replaceX509(fresh);
  const watch = new CertificateWatch({ files, x509, replace, now: () => new Date(), log });
  const read = (): void => watch.read();
  process.on("SIGHUP", read);
  const timer = setInterval(() => watch.check(), LOOK_EVERY);
  return () => {
    clearInterval(timer);
    process.removeListener("SIGHUP", read);
  };
}

function listenersOf(config: Config, { listen }: Whereabouts, nosec: true | undefined): Listener[] {
  const { scheme, port: given } = prepareNaming(config.recipe, config.uri);
  const secure = scheme === "coaps";
  if (!secure && nosec === undefined) {
    throw new InvalidInput(`uri: ${scheme}: is without security; say --nosec if devices shall bootstrap without authentication`);
  }
  return listen.flatMap((address): Listener[] => [
    ...(secure ? [{ scheme: "coaps", address, port: given ?? DEFAULT_PORTS.coaps } as const] : []),
    ...(nosec ? [{ scheme: "coap", address, port: secure ? DEFAULT_PORTS.coap : (given ?? DEFAULT_PORTS.coap) } as const] : []),
  ]);
}

/** What the options say; else what the configuration says of the instance of that id. @throws InvalidInput */
function declaredBy(config: Config, options: InstanceCommandOptions): Declared {
  const own = config.instances.local.find(({ id }) => id === options.id);
  const {
    weight = own?.weight,
    region = own?.region,
    location = own?.location,
    pool: pools = own?.pools,
    room = own?.room,
  } = options;
  const given = Object.entries({ weight, region, location, pools, room }).filter(([, value]) => value !== undefined);
  return parseWith(DeclaredSchema, Object.fromEntries(given), `instance ${options.id}`);
}

function parseLocation(text: string): readonly [number, number] {
  const [, latitude, longitude] = /^(-?[\d.]+),(-?[\d.]+)$/.exec(text) ?? [];
  if (latitude === undefined || longitude === undefined) {
    throw new InvalidArgumentError("It must be latitude and longitude in degrees, such as 52.5,13.4.");
  }
  return [Number(latitude), Number(longitude)];
}
