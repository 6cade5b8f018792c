import type { DevicePage, DeviceQuery, DeviceView } from "../control/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type ControlHandlers, NotFound } from "../net/index.ts";
import type { Balancer } from "./balancer.ts";
import type { Device } from "./device.ts";
import { assignmentOf } from "./feed.ts";
import { statusOf } from "./status.ts";

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
      if (!balancer.membership.beat(params.id, body)) throw notRegistered(params.id);
      return {};
    },
    leave: async ({ params }) => {
      await balancer.inTurn(() => balancer.membership.leave(params.id));
      return {};
    },
    lookup: ({ params, body }) => {
      const instance = balancer.instances.get(params.id);
      if (instance === undefined || !instance.alive) throw notRegistered(params.id);
      const { identity, endpoint } = body;
      if ((identity === undefined) === (endpoint === undefined))
        throw new InvalidInput("lookup: give an identity or an endpoint");
      const device = identity === undefined ? balancer.fleet.byEndpoint(endpoint ?? "") : balancer.fleet.byIdentity(identity);
      if (device === undefined) return { refused: "unknown" };
      if (device.progress.state === "completed") return { refused: "completed" };
      const mayServe = balancer.registrar.mayServe(device, instance.index);
      return mayServe ? { assignment: assignmentOf(device) } : { refused: "elsewhere" };
    },
    notify: async ({ params, body }) => {
      const instance = balancer.membership.registered(params.id, body.boot);
      if (instance === undefined) throw notRegistered(params.id);
      await balancer.inbox.receive(instance, body);
      await balancer.observe(instance, body.notifications);
      return {};
    },
    overrideInstance: async ({ params, body }) => {
      const reply = await balancer.override(params.id, body);
      if (reply === undefined) throw new NotFound(`no instance ${params.id}`);
      return reply;
    },
    instances: () => ({ instances: balancer.membership.views() }),
    importDevices: ({ body: { devices, ...terms } }) => balancer.import(devices, terms),
    devices: ({ query }) => listDevices(balancer, query),
    device: ({ params, query }) => viewOne(balancer, deviceOf(balancer, params.endpoint), query),
    removeDevice: async ({ params }) => {
      if (!(await balancer.remove(params.endpoint))) throw new NotFound(`no device ${params.endpoint}`);
      return {};
    },
    putProfile: async ({ params, body }) => ({ warnings: await balancer.putProfile(params.name, body) }),
    rotate: ({ body }) => balancer.rotate(body.reason, body.trigger),
    rearm: ({ body }) => balancer.rearming.byHand(body),
    audit: ({ query }) => balancer.audit.page(query),
    plan: ({ body }) => balancer.plan(body),
    status: () => statusOf(balancer),
    confirm: () => balancer.brake.confirm(),
    compare: async () => {
      await balancer.publication?.compare();
      return {};
    },
    assignments: (id, signal) => {
      if (balancer.instances.get(id)?.alive !== true) throw notRegistered(id);
      return (write) => void balancer.stream(id, write, signal);
    },
  };
}

const ID = /^[A-Za-z0-9._-]{1,63}$/;

function checkId(id: string): void {
  if (!ID.test(id)) throw new InvalidInput(`instance id: "${id}" must be 1 to 63 letters, digits, dots, dashes or underscores`);
}

function notRegistered(id: string): NotFound {
  return new NotFound(`instance ${id} is not registered`);
}

function deviceOf(balancer: Balancer, endpoint: string): Device {
  const device = balancer.fleet.byEndpoint(endpoint);
  if (device === undefined) throw new NotFound(`no device ${endpoint}`);
  return device;
}

async function listDevices(balancer: Balancer, query: DeviceQuery): Promise<DevicePage> {
  const { state, after, limit = 100, names = false } = query;
  const { devices, next } = await balancer.page({
    limit,
    ...(after === undefined ? {} : { after }),
    ...(state === undefined ? {} : { state }),
  });
  return { devices: devices.map((device) => view(balancer, device, names)), next };
}

async function viewOne(
  balancer: Balancer,
  device: Device,
  { names = false, history = false }: { readonly names?: boolean | undefined; readonly history?: boolean | undefined },
): Promise<DeviceView> {
  if (!history) return view(balancer, device, names);
  const past = await balancer.historyOf(device);
  return { ...view(balancer, device, names), history: past };
}

function view(balancer: Balancer, device: Device, names: boolean): DeviceView {
  const { state, home, completedAt, failures, failure } = device.progress;
  return {
    endpoint: device.endpoint,
    mode: device.kind.mode,
    state,
    instance: balancer.instances.at(home)?.id ?? null,
    profile: device.kind.profile,
    group: device.kind.group,
    completedAt,
    failures,
    lastFailure: failure,
    ...(names ? { names: balancer.publisher.names(device) } : {}),
  };
}
