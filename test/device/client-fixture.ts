import {
  type Attempt,
  BootstrapClient,
  type BootstrapResult,
  type DeviceEvents,
  type DeviceOptions,
  type FactorySettings,
  type Failure,
  factoryTree,
} from "../../src/device/index.ts";
import type { Milliseconds } from "../../src/lib/clock.ts";
import { builtInRecipe, type Recipe, temporaryUri } from "../../src/naming/index.ts";
import { PSK } from "./scripted-server.ts";
import type { World } from "./world.ts";

export const URI = "coaps://bs.example.com:5684";
export const ENDPOINT = "urn:dev:1";
export const BERTH_1: Recipe = builtInRecipe("berth-1");
export const HERE: { address: string; port: number } = { address: "10.0.0.1", port: 5684 };

/** The host name the recipe gives the device at an instant. */
export function hostAt(instant: number, recipe: Recipe = BERTH_1, counter = 0): string {
  return temporaryUri(recipe, URI, { secret: PSK, endpoint: ENDPOINT, instant, counter }).host;
}

/** What a device did and how it ended. */
export interface Story {
  readonly client: BootstrapClient;
  readonly attempts: Attempt[];
  readonly failures: (Failure & { at: number; retryIn: number | undefined })[];
  result?: BootstrapResult;
  error?: Error;
  closed: boolean;
}

/** Switches a device on. */
export function start(
  world: World,
  options: Omit<Partial<DeviceOptions>, "recipe"> & {
    factory?: Partial<FactorySettings>;
    clockOffset?: Milliseconds;
    recipe?: Recipe | "none";
    events?: DeviceEvents;
  } = {},
): Story {
  const { factory, clockOffset, recipe = BERTH_1, events, ...rest } = options;
  const tree = rest.tree ?? factoryTree({ uri: URI, identity: "dev-1", psk: PSK, ...factory });
  const attempts: Story["attempts"] = [];
  const failures: Story["failures"] = [];
  const device = { endpoint: ENDPOINT, ...(recipe === "none" ? {} : { recipe }), ...rest, tree };
  const client = new BootstrapClient(device, world.environment(clockOffset), {
    ...events,
    attempt: (attempt) => void attempts.push(attempt),
    failed: (failure) => void failures.push({ ...failure, at: world.clock.now() }),
    closed: () => {
      story.closed = true;
    },
  });
  const story: Story = { client, attempts, failures, closed: false };
  client.bootstrap().then(
    (result) => {
      story.result = result;
    },
    (error: Error) => {
      story.error = error;
    },
  );
  return story;
}
