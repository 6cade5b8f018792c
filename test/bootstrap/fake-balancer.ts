import assert from "node:assert/strict";
import type { Assignment, AssignmentEvent, InstanceLoad, Lookup, LookupReply, Notification } from "../../src/control/index.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import {
  type AssignmentWriter,
  ControlClient,
  type ControlHandlers,
  type ControlServer,
  NotFound,
  serveControl,
} from "../../src/net/index.ts";
import { PROFILE, STATIC_URI } from "./lockstep.ts";

const TOKEN = "instance-token";

/** A balancer that speaks the control API over HTTP, keeps what it is told, and can be killed and started again. */
export class FakeBalancer {
  /** What the next streams open with. */
  devices: Assignment[] = [];
  profiles: Record<string, unknown> = { default: PROFILE };
  recipe: unknown = builtInRecipe("berth-1");
  /** Registrations in order, with the boot they named. */
  readonly registrations: { readonly id: string; readonly boot: string }[] = [];
  readonly lookups: Lookup[] = [];
  /** Answers look-ups. */
  answer: (lookup: Lookup) => LookupReply = () => ({ refused: "unknown" });
  /** Notifications as they were applied: each sequence number once. */
  readonly applied: Notification[] = [];
  /** Notifications received, however often. */
  received = 0;
  heartbeats = 0;
  /** What the last one said. */
  load: InstanceLoad | undefined;
  readonly left: string[] = [];
  /** How many batches to apply and then answer with an error, as if the answer were lost. */
  loseAnswers = 0;
  /** How many batches to refuse as not fitting the schema. */
  refuse = 0;
  readonly #known: Set<string> = new Set();
  readonly #streams: Set<AssignmentWriter> = new Set();
  readonly #sequences: Map<string, number> = new Map();
  #server: ControlServer | undefined;
  #port = 0;

  /** Starts, or starts again on the same port; what it knew of instances is forgotten, what was applied is not. */
  async start(): Promise<void> {
    this.#known.clear();
    this.#server = await serveControl({
      address: "127.0.0.1",
      port: this.#port,
      tokens: { instance: TOKEN, operator: "operator-token" },
      handlers: this.#handlers(),
      log: silentLogger,
    });
    this.#port = this.#server.port;
  }

  async kill(): Promise<void> {
    await this.#server?.close();
    this.#streams.clear();
  }

  client(): ControlClient {
    return new ControlClient({ url: `http://127.0.0.1:${this.#port}`, token: TOKEN, timeout: 2000 });
  }

  /** Forgets its instances without closing their streams, as a standby does that has just taken over. */
  forgetInstances(): void {
    this.#known.clear();
  }

  /** Sends an event on all streams. */
  tell(event: AssignmentEvent): void {
    for (const write of this.#streams) void write(event);
  }

  /** What was applied, as `kind endpoint`. */
  get told(): string[] {
    return this.applied.map(({ kind, endpoint }) => `${kind} ${endpoint}`);
  }

  #handlers(): ControlHandlers {
    const unused = (): never => {
      throw new NotFound("not part of this test");
    };
    const known = (id: string): void => {
      if (!this.#known.has(id)) throw new NotFound(`instance ${id} is not registered`);
    };
    return {
      health: () => ({ status: "ok" }),
      registerInstance: ({ params: { id }, body: { boot } }) => {
        this.#known.add(id);
        this.registrations.push({ id, boot });
        return { heartbeat: 50 };
      },
      heartbeat: ({ params: { id }, body: { load } }) => {
        known(id);
        this.heartbeats++;
        this.load = load;
        return {};
      },
      overrideInstance: unused,
      leave: ({ params: { id } }) => {
        this.left.push(id);
        return {};
      },
      lookup: ({ params: { id }, body }) => {
        known(id);
        this.lookups.push(body);
        return this.answer(body);
      },
      notify: ({ params: { id }, body: { boot, notifications } }) => {
        known(id);
        if (this.refuse > 0) {
          this.refuse--;
          this.#sequences.set(boot, notifications.at(-1)?.sequence ?? 0);
          throw new InvalidInput("body: not as it should be");
        }
        for (const notification of notifications) {
          this.received++;
          const last = this.#sequences.get(boot) ?? 0;
          assert.ok(notification.sequence <= last + 1, `a gap before ${notification.sequence}`);
          if (notification.sequence <= last) continue;
          this.#sequences.set(boot, notification.sequence);
          this.applied.push(notification);
        }
        if (this.loseAnswers > 0) {
          this.loseAnswers--;
          throw new Error("the answer is lost");
        }
        return {};
      },
      instances: unused,
      importDevices: unused,
      devices: unused,
      device: unused,
      removeDevice: unused,
      putProfile: unused,
      rotate: unused,
      rearm: unused,
      plan: unused,
      audit: unused,
      confirm: unused,
      compare: unused,
      status: unused,
      assignments: (_id, signal) => (write) => {
        this.#streams.add(write);
        signal.addEventListener("abort", () => this.#streams.delete(write));
        const profiles = Object.entries(this.profiles).map(([name, profile]) => ({ type: "profile", name, profile }) as const);
        void write(
          { type: "fleet", uri: STATIC_URI, recipe: this.recipe, skew: 300_000 },
          ...profiles,
          { type: "assign", assignments: this.devices },
          { type: "synced" },
        );
      },
    };
  }
}

/** Waits until a condition holds, at most 5 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    assert.ok(waited < 5000, `waited 5 s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
