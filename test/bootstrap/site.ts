import { after } from "node:test";
import { BootstrapInstance, type InstanceOptions, type Listener } from "../../src/bootstrap/index.ts";
import type { Assignment } from "../../src/control/index.ts";
import { systemClock, systemRandom } from "../../src/net/index.ts";
import { FakeBalancer, until } from "./fake-balancer.ts";
import { assignment, LogBook, PROFILE } from "./lockstep.ts";
import { UdpDevice, type UdpDeviceOptions } from "./udp-device.ts";

export const COAP: Listener = { scheme: "coap", address: "127.0.0.1", port: 0 };
export const COAPS: Listener = { scheme: "coaps", address: "127.0.0.1", port: 0 };

/** An instance at work, and the balancer it talks to. */
export interface Site {
  readonly balancer: FakeBalancer;
  readonly instance: BootstrapInstance;
  readonly log: LogBook;
}

const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Starts an instance that has been told of these devices, by endpoint those with a PSK; it ends with the test file. */
export async function startSite(
  devices: readonly (string | Assignment)[],
  listeners: readonly Listener[],
  options: Partial<InstanceOptions> = {},
  profile: unknown = PROFILE,
): Promise<Site> {
  const balancer = new FakeBalancer();
  balancer.profiles = { default: profile };
  balancer.devices = devices.map((device) => (typeof device === "string" ? assignment(device) : device));
  await balancer.start();
  cleanups.push(() => balancer.kill());
  const log = new LogBook();
  const instance = await BootstrapInstance.start({
    id: "bs-1",
    listeners,
    advertise: { ipv4: "127.0.0.1" },
    control: balancer.client(),
    clock: systemClock,
    random: systemRandom,
    log,
    backoff: { first: 20, longest: 100 },
    ...options,
  });
  cleanups.push(() => instance.stop());
  await until(() => log.lines.some((line) => line.includes("in touch with the balancer")), "the stream");
  return { balancer, instance, log };
}

/** A device that talks to one of the instance's listeners; its socket is closed with the test file. */
export async function openDevice(
  instance: BootstrapInstance,
  options: Omit<UdpDeviceOptions, "port"> = {},
  listener = 0,
): Promise<UdpDevice> {
  const device = await UdpDevice.open({ port: instance.listeners[listener]?.port ?? 0, ...options });
  cleanups.push(() => device.close());
  return device;
}
