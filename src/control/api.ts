import { z } from "zod";
import { type Lookup, type LookupReply, LookupReplySchema, LookupSchema } from "./assignment.ts";
import { type AuditPage, AuditPageSchema, type AuditQuery, AuditQuerySchema } from "./audit.ts";
import {
  type DeviceBatch,
  type DeviceBatchReply,
  DeviceBatchReplySchema,
  DeviceBatchSchema,
  type DevicePage,
  DevicePageSchema,
  type DeviceQuery,
  DeviceQuerySchema,
  type DeviceView,
  DeviceViewSchema,
} from "./device.ts";
import {
  type Heartbeat,
  HeartbeatSchema,
  type InstanceRegistration,
  InstanceRegistrationSchema,
  type InstanceTerms,
  InstanceTermsSchema,
  type InstanceView,
  InstanceViewSchema,
  type OverrideChange,
  OverrideChangeSchema,
  type OverrideReply,
  OverrideReplySchema,
} from "./instance.ts";
import { type NotificationBatch, NotificationBatchSchema } from "./notification.ts";
import { type PlanReply, PlanReplySchema, type PlanRequest, PlanRequestSchema } from "./plan.ts";
import { type ConfirmationReply, ConfirmationReplySchema } from "./publication.ts";
import { type Rearming, type RearmingReply, RearmingReplySchema, RearmingSchema } from "./rearming.ts";
import {
  type FleetStatus,
  FleetStatusSchema,
  type Rotation,
  type RotationReply,
  RotationReplySchema,
  RotationSchema,
} from "./status.ts";

/** Who may call: an instance, an operator, or anybody. Each role has its own token. */
export type Role = "instance" | "operator" | "public";

/** One operation of the control API, in types. `params` are the `:name` parts of the path. */
export interface Operation<Params, Query, Body, Reply> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly reply: Reply;
}

type Id = { readonly id: string };
type Endpoint = { readonly endpoint: string };
type None = Readonly<Record<never, never>>;
type Done = Readonly<Record<never, never>>;

/** The control API: what balancer, instances and operators say to each other. */
export interface ControlApi {
  health: Operation<None, None, undefined, { readonly status: "ok" }>;
  registerInstance: Operation<Id, None, InstanceRegistration, InstanceTerms>;
  heartbeat: Operation<Id, None, Heartbeat, Done>;
  leave: Operation<Id, None, undefined, Done>;
  lookup: Operation<Id, None, Lookup, LookupReply>;
  notify: Operation<Id, None, NotificationBatch, Done>;
  instances: Operation<None, None, undefined, { readonly instances: readonly InstanceView[] }>;
  overrideInstance: Operation<Id, None, OverrideChange, OverrideReply>;
  importDevices: Operation<None, None, DeviceBatch, DeviceBatchReply>;
  devices: Operation<None, DeviceQuery, undefined, DevicePage>;
  device: Operation<
    Endpoint,
    { readonly names?: boolean | undefined; readonly history?: boolean | undefined },
    undefined,
    DeviceView
  >;
  removeDevice: Operation<Endpoint, None, undefined, Done>;
  putProfile: Operation<{ readonly name: string }, None, unknown, { readonly warnings: readonly string[] }>;
  rotate: Operation<None, None, Rotation, RotationReply>;
  plan: Operation<None, None, PlanRequest, PlanReply>;
  rearm: Operation<None, None, Rearming, RearmingReply>;
  confirm: Operation<None, None, undefined, ConfirmationReply>;
  compare: Operation<None, None, undefined, Done>;
  audit: Operation<None, AuditQuery, undefined, AuditPage>;
  status: Operation<None, None, undefined, FleetStatus>;
}

/** How an operation looks on the wire. */
export interface Route<Op extends Operation<unknown, unknown, unknown, unknown>> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  readonly query?: z.ZodType<Op["query"]>;
  readonly body?: z.ZodType<Op["body"]>;
  readonly reply: z.ZodType<Op["reply"]>;
}

const done: z.ZodType<Done> = z.strictObject({});

/** The routes of all operations. Server, client and OpenAPI document are made from this table. */
export const ROUTES: { readonly [Name in keyof ControlApi]: Route<ControlApi[Name]> } = {
  health: {
    method: "GET",
    path: "/v1/health",
    role: "public",
    summary: "Whether the balancer is up",
    reply: z.strictObject({ status: z.literal("ok") }),
  },
  registerInstance: {
    method: "PUT",
    path: "/v1/instances/:id",
    role: "instance",
    summary: "An instance registers, or registers again after a restart of either side",
    body: InstanceRegistrationSchema,
    reply: InstanceTermsSchema,
  },
  heartbeat: {
    method: "POST",
    path: "/v1/instances/:id/heartbeat",
    role: "instance",
    summary: "A sign of life with the instance's load",
    body: HeartbeatSchema,
    reply: done,
  },
  leave: {
    method: "DELETE",
    path: "/v1/instances/:id",
    role: "instance",
    summary: "An instance goes; its devices are given to others at once",
    reply: done,
  },
  lookup: {
    method: "POST",
    path: "/v1/instances/:id/lookups",
    role: "instance",
    summary: "An instance asks for a device it was not told of",
    body: LookupSchema,
    reply: LookupReplySchema,
  },
  notify: {
    method: "POST",
    path: "/v1/instances/:id/notifications",
    role: "instance",
    summary: "Commenced, completed and failed sessions, in order; each is applied once however often it is sent",
    body: NotificationBatchSchema,
    reply: done,
  },
  instances: {
    method: "GET",
    path: "/v1/instances",
    role: "operator",
    summary: "All instances with their load",
    reply: z.strictObject({ instances: z.array(InstanceViewSchema) }),
  },
  overrideInstance: {
    method: "PUT",
    path: "/v1/instances/:id/override",
    role: "operator",
    summary: "Sets an instance's weight, or drains it; what is left out stays as it is",
    body: OverrideChangeSchema,
    reply: OverrideReplySchema,
  },
  importDevices: {
    method: "POST",
    path: "/v1/devices",
    role: "operator",
    summary: "Adds devices or updates their credentials; bad ones are reported and the rest taken",
    body: DeviceBatchSchema,
    reply: DeviceBatchReplySchema,
  },
  devices: {
    method: "GET",
    path: "/v1/devices",
    role: "operator",
    summary: "Devices with their states, page by page",
    query: DeviceQuerySchema,
    reply: DevicePageSchema,
  },
  device: {
    method: "GET",
    path: "/v1/devices/:endpoint",
    role: "operator",
    summary: "One device",
    query: z.strictObject({ names: z.stringbool().optional(), history: z.stringbool().optional() }),
    reply: DeviceViewSchema,
  },
  removeDevice: {
    method: "DELETE",
    path: "/v1/devices/:endpoint",
    role: "operator",
    summary: "Forgets a device; its names leave DNS at once",
    reply: done,
  },
  putProfile: {
    method: "PUT",
    path: "/v1/profiles/:name",
    role: "operator",
    summary: "Sets a bootstrap profile",
    body: z.unknown(),
    reply: z.strictObject({ warnings: z.array(z.string()) }),
  },
  rotate: {
    method: "POST",
    path: "/v1/rotations",
    role: "operator",
    summary: "Regenerates the names of all devices that have not commenced, and spreads them afresh",
    body: RotationSchema,
    reply: RotationReplySchema,
  },
  rearm: {
    method: "POST",
    path: "/v1/rearmings",
    role: "operator",
    summary: "Lets completed devices bootstrap again; they get names at once",
    body: RearmingSchema,
    reply: RearmingReplySchema,
  },
  confirm: {
    method: "POST",
    path: "/v1/confirmations",
    role: "operator",
    summary: "Confirms everything that is held as it would change too much of what is live",
    reply: ConfirmationReplySchema,
  },
  compare: {
    method: "POST",
    path: "/v1/comparisons",
    role: "operator",
    summary: "Compares all there is in the registry with what should be, and mends it",
    reply: done,
  },
  audit: {
    method: "GET",
    path: "/v1/audit",
    role: "operator",
    summary: "What changed the fleet's names and allocation, and why, the newest first",
    query: AuditQuerySchema,
    reply: AuditPageSchema,
  },
  plan: {
    method: "POST",
    path: "/v1/plans",
    role: "operator",
    summary: "What would change at the next regeneration, or without some instances, or with other weights; changes nothing",
    body: PlanRequestSchema,
    reply: PlanReplySchema,
  },
  status: {
    method: "GET",
    path: "/v1/status",
    role: "operator",
    summary: "Counts of devices, live names, epochs",
    reply: FleetStatusSchema,
  },
};

/** The path of the one operation that streams: an instance's assignments, NDJSON of `AssignmentEvent`. Role `instance`. */
export const ASSIGNMENTS_PATH = "/v1/instances/:id/assignments";
