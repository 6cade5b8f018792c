import { isIP } from "node:net";
import type { InstanceAddresses } from "../control/index.ts";
import { parsePrefix } from "../dns/index.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import type { Config } from "./config.ts";

/** What an instance's command line says of where it is. */
export interface WhereaboutsOptions {
  readonly id: string;
  readonly listen?: readonly string[];
  readonly advertise?: readonly string[];
  readonly prefix?: string;
}

/** Where an instance listens, and where devices find it. */
export interface Whereabouts {
  /** Addresses, and the prefix if there is one. */
  readonly listen: readonly string[];
  readonly advertise: InstanceAddresses;
}

/**
 * Where the options, else the configuration's instance of that id, say that an instance is. A name leads to one address of a
 * family at most (R5), as devices must not choose.
 * @throws InvalidInput naming the option and the value
 */
export function whereaboutsOf(config: Config, options: WhereaboutsOptions): Whereabouts {
  const own = config.instances.local.find(({ id }) => id === options.id);
  const { listen = own?.address ?? [], prefix = own?.prefix } = options;
  checkAddresses("--listen", listen);
  if (listen.length === 0 && prefix === undefined) {
    throw new InvalidInput("--listen: give an address to serve devices on, or a --prefix");
  }
  if (options.advertise !== undefined) checkAddresses("--advertise", options.advertise);
  const advertise = addressesOf(options.advertise ?? listen, options.advertise === undefined);
  if (prefix === undefined) return { listen, advertise };
  checkPrefix(prefix);
  const six = advertise.ipv6 ?? listen.find((address) => isIP(address) === 6);
  if (six !== undefined) {
    throw new InvalidInput(
      `--prefix: devices get addresses in ${prefix}, so ${six} would be a second one of IPv6; leave one of them out`,
    );
  }
  return { listen: [...listen, prefix], advertise: { ...advertise, prefix } };
}

function checkAddresses(option: string, addresses: readonly string[]): void {
  for (const address of addresses) {
    if (isIP(address) === 0) throw new InvalidInput(`${option}: "${address}" is no IPv4 or IPv6 address`);
  }
}

function checkPrefix(prefix: string): void {
  try {
    parsePrefix(prefix);
  } catch (error) {
    throw new InvalidInput(`--prefix: ${errorText(error)}`);
  }
}

/** @param listening whether they are those it listens on, as no others were given */
function addressesOf(addresses: readonly string[], listening: boolean): InstanceAddresses {
  const ofFamily = (family: 4 | 6): string | undefined => {
    const [first, ...more] = addresses.filter((address) => isIP(address) === family);
    if (more.length > 0) {
      throw new InvalidInput(
        `--advertise: give one IPv${family} address, devices must not choose (got ${[first, ...more].join(", ")})`,
      );
    }
    if (first !== undefined && isNobodys(first)) {
      const remedy = listening ? "say with --advertise where they do" : "it names no host";
      throw new InvalidInput(`--advertise: devices do not reach ${first}; ${remedy}`);
    }
    return first;
  };
  const [ipv4, ipv6] = [ofFamily(4), ofFamily(6)];
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
}

/** Whether an address means any of this host, or needs one of its interfaces beside it, which DNS cannot tell. */
function isNobodys(address: string): boolean {
  return address === "0.0.0.0" || /^[0:]+$/.test(address) || address.includes("%");
}
