import { addressAndPort } from "../lib/address.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import { ControlClient } from "../net/index.ts";
import { type Config, findConfig, readText } from "./config.ts";
import { readCertificates } from "./pem-files.ts";

/** Options of every command that talks to a balancer. */
export interface ConnectOptions {
  readonly config?: string;
  readonly url?: string;
  readonly tokenFile?: string;
}

/** Where tokens may stand instead of a file, so that none is ever an argument others can see. */
const TOKEN_VARIABLES = { operator: "BERTH_TOKEN", instance: "BERTH_INSTANCE_TOKEN" } as const;
const URL_VARIABLE = "BERTH_URL";

/**
 * A client of the balancer's control API: flags first, a configuration that was asked for among them, then the
 * environment, then the configuration that lies here.
 * @param timeout how long a call may take, ms; that of the client if absent
 * @throws InvalidInput if no balancer or no token is known
 */
export function connect(
  options: ConnectOptions,
  role: "operator" | "instance" = "operator",
  timeout?: Milliseconds,
): ControlClient {
  const config = findConfig(options.config);
  const asked = options.config === undefined ? undefined : config;
  const url = options.url ?? (asked && controlUrl(asked)) ?? process.env[URL_VARIABLE] ?? (config && controlUrl(config));
  if (url === undefined)
    throw new InvalidInput(`which balancer? Give --url URL, ${URL_VARIABLE}, or a berth.yaml with --config FILE`);
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw new InvalidInput(`"${url}" is no URL of a balancer; write for example http://127.0.0.1:8690`);
  const ca = config?.control.ca;
  return new ControlClient({
    url,
    token: tokenFor(options, config, role),
    ...(ca === undefined ? {} : { ca: readCertificates("control.ca", ca) }),
    ...(timeout === undefined ? {} : { timeout }),
  });
}

/** The URL instances and commands reach the balancer at. */
function controlUrl(config: Config): string {
  const { url, tls, listen } = config.control;
  return url ?? `${tls === undefined ? "http" : "https"}://${addressAndPort(listen)}`;
}

/** A token from its file. @throws InvalidInput saying how to make one */
export function readToken(path: string | undefined, key: "operatorToken" | "instanceToken"): string {
  const how = `make one with: openssl rand -hex 32 > ${path ?? `${key}.txt`}`;
  if (path === undefined) throw new InvalidInput(`control.${key}: name the file that holds the token; ${how}`);
  const token = readText(path).trim();
  if (token.length < 16) throw new InvalidInput(`${path}: a token needs 16 characters or more; ${how}`);
  return token;
}

function tokenFor(options: ConnectOptions, config: Config | undefined, role: "operator" | "instance"): string {
  if (options.tokenFile !== undefined) return readText(options.tokenFile).trim();
  const key = role === "operator" ? "operatorToken" : "instanceToken";
  const variable = TOKEN_VARIABLES[role];
  const path = config?.control[key];
  if (options.config !== undefined && path !== undefined) return readToken(path, key);
  const fromEnvironment = process.env[variable];
  if (fromEnvironment !== undefined) return fromEnvironment;
  if (config === undefined) {
    throw new InvalidInput(`no token: give --token-file FILE, ${variable}, or a berth.yaml with --config FILE`);
  }
  return readToken(path, key);
}
