import type { DevicePage, DeviceQuery, DeviceView } from "../control/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type ControlHandlers, NotFound } from "../net/index.ts";
import type { Balancer } from "./balancer.ts";
import type { Device } from "./device.ts";
import { assignmentOf } from "./feed.ts";
import type { Instance } from "./instances.ts";

/** The control API as the balancer answers it. */
export function controlHandlers(balancer: Balancer): ControlHandlers {
  return {
    health: () => ({ status: "ok" }),
    registerInstance: async ({ params, body }) => {
      checkId(params.id);
      await balancer.inTurn(() => balancer.membership.register(params.id, body));
      return { heartbeat: balancer.heartbeat };
    },
    heartbeat: ({ params, body }) => {
      if (!balancer.membership.beat(params.id, body)) throw new NotFound(`instance ${params.id} is not registered`);
      return {};
    },
    leave: async ({ params }) => {
      await balancer.inTurn(() => balancer.membership.leave(params.id));
      return {};
    },
    lookup: ({ params, body }) => {
      const instance = instanceOf(balancer, params.id);
      const { identity, endpoint } = body;
      if ((identity === undefined) === (endpoint === undefined))
        throw new InvalidInput("lookup: give an identity or an endpoint");
      const device = identity === undefined ? balancer.fleet.byEndpoint(endpoint ?? "") : balancer.fleet.byIdentity(identity);
      if (device === undefined) return { refused: "unknown" };
      if (device.progress.state === "completed") return { refused: "completed" };
      return balancer.registrar.mayServe(instance.index, device)
        ? { assignment: assignmentOf(device) }
        : { refused: "elsewhere" };
    },
    notify: async ({ params, body }) => {
      await balancer.inbox.receive(instanceOf(balancer, params.id), body);
      return {};
    },
    instances: () => ({ instances: balancer.membership.views() }),
    importDevices: ({ body }) => balancer.import(body.devices),
    devices: ({ query }) => listDevices(balancer, query),
    device: ({ params, query }) => view(balancer, deviceOf(balancer, params.endpoint), query.names === true),
    removeDevice: async ({ params }) => {
      if (!(await balancer.remove(params.endpoint))) throw new NotFound(`no device ${params.endpoint}`);
      return {};
    },
    putProfile: async ({ params, body }) => ({ warnings: await balancer.putProfile(params.name, body) }),
    rotate: ({ body }) => balancer.rotate(body.reason),
    status: () => ({
      zone: balancer.zone,
      devices: balancer.fleet.counts,
      instances: balancer.instances.serving().length,
      epochs: balancer.epochs.views(),
      collisions: balancer.publisher.collisions,
    }),
    assignments: (id, write, signal) => void balancer.stream(id, write, signal),
  };
}

const ID = /^[A-Za-z0-9._-]{1,63}$/;

function checkId(id: string): void {
  if (!ID.test(id)) throw new InvalidInput(`instance id: "${id}" must be 1 to 63 letters, digits, dots, dashes or underscores`);
}

function instanceOf(balancer: Balancer, id: string): Instance {
  const instance = balancer.instances.get(id);
  if (instance === undefined) throw new NotFound(`instance ${id} is not registered`);
  return instance;
}

function deviceOf(balancer: Balancer, endpoint: string): Device {
  const device = balancer.fleet.byEndpoint(endpoint);
  if (device === undefined) throw new NotFound(`no device ${endpoint}`);
  return device;
}

async function listDevices(balancer: Balancer, query: DeviceQuery): Promise<DevicePage> {
  const { state, after, limit = 100, names = false } = query;
  const devices = await balancer.page({
    limit,
    ...(after === undefined ? {} : { after }),
    ...(state === undefined ? {} : { state }),
  });
  const next = devices.length < limit ? null : (devices.at(-1)?.endpoint ?? null);
  return { devices: devices.map((device) => view(balancer, device, names)), next };
}

function view(balancer: Balancer, device: Device, names: boolean): DeviceView {
  const { state, home, failures, failure } = device.progress;
  return {
    endpoint: device.endpoint,
    state,
    instance: balancer.instances.at(home)?.id ?? null,
    profile: device.profile,
    failures,
    lastFailure: failure,
    ...(names ? { names: balancer.publisher.names(device) } : {}),
  };
}
