import type { AuditEntry, PastBootstrap } from "../../src/control/index.ts";
import type {
  DeviceRecord,
  DeviceRow,
  NotificationMark,
  ProgressChange,
  Storage,
  StoredInstance,
  StoredProfile,
} from "../../src/storage/index.ts";

/** A database in a few maps, for tests in which the real one would be too slow; `fail` makes its next writes reject. */
export class FakeStorage implements Storage {
  readonly #rows: Map<string, DeviceRow> = new Map();
  readonly #marks: Map<string, NotificationMark> = new Map();
  readonly #profiles: Map<string, StoredProfile> = new Map();
  readonly #instances: Map<string, StoredInstance> = new Map();
  readonly #settings: Map<string, unknown> = new Map();
  readonly #histories: Map<string, readonly PastBootstrap[]> = new Map();
  readonly #audit: AuditEntry[] = [];
  /** Writes reject while this is true. */
  broken = false;
  /** Resolves before each write takes effect; for tests that hold one up. */
  delay: () => Promise<void> = async () => {};

  get rows(): readonly DeviceRow[] {
    return [...this.#rows.values()];
  }

  readonly devices: Storage["devices"] = {
    import: async (batch, now) => {
      await this.#write();
      let inserted = 0;
      for (const device of batch) {
        if (!this.#rows.has(device.endpoint)) inserted++;
        this.#rows.set(device.endpoint, { ...freshRow(now), ...this.#rows.get(device.endpoint), ...device });
      }
      return { inserted, updated: batch.length - inserted, rejected: [] };
    },
    all: async function* (this: FakeStorage) {
      yield [...this.#rows.values()].sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    }.bind(this),
    get: async (endpoint) => this.#rows.get(endpoint),
    history: async (endpoint) => [...(this.#histories.get(endpoint) ?? [])],
    page: async ({ after = "", limit, state }) =>
      [...this.#rows.values()]
        .filter((row) => row.endpoint > after && (state === undefined || row.state === state))
        .sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1))
        .slice(0, limit),
    countByState: async () => {
      const counts = { pending: 0, commenced: 0, completed: 0 };
      for (const { state } of this.#rows.values()) counts[state]++;
      return counts;
    },
    remove: async (endpoints) => {
      await this.#write();
      return endpoints.filter((endpoint) => this.#rows.delete(endpoint)).length;
    },
    saveProgress: async (changes, marks = []) => {
      await this.#write();
      for (const change of changes) this.#save(change);
      for (const mark of marks) this.#marks.set(`${mark.instance} ${mark.bootId}`, mark);
      return changes.length;
    },
    marks: async () => [...this.#marks.values()],
  };

  readonly profiles: Storage["profiles"] = {
    put: async (name, body, updatedAt) => {
      await this.#write();
      const stored = { name, version: 1, body, updatedAt };
      this.#profiles.set(name, stored);
      return stored;
    },
    get: async (name) => this.#profiles.get(name),
    all: async () => [...this.#profiles.values()],
  };

  readonly instances: Storage["instances"] = {
    put: async (instance) => {
      await this.#write();
      this.#instances.set(instance.id, instance);
    },
    all: async () => [...this.#instances.values()],
  };

  readonly settings: Storage["settings"] = {
    get: async (key) => this.#settings.get(key),
    put: async (key, value) => {
      await this.#write();
      this.#settings.set(key, value);
    },
  };

  readonly audit: Storage["audit"] = {
    add: async (entries) => {
      await this.#write();
      for (const entry of entries) this.#audit.unshift({ ...entry, id: this.#audit.length + 1 });
    },
    page: async ({ before = Number.POSITIVE_INFINITY, limit }) => this.#audit.filter(({ id }) => id < before).slice(0, limit),
  };

  readonly leases: Storage["leases"] = {
    take: async () => ({ taken: true, term: 1, from: null }),
    renew: async () => true,
    release: async () => {},
  };

  async close(): Promise<void> {}

  async #write(): Promise<void> {
    await this.delay();
    if (this.broken) throw new Error("the database is away");
  }

  #save({ ended = [], ...change }: ProgressChange): void {
    const row = this.#rows.get(change.endpoint);
    if (row === undefined) return;
    this.#rows.set(change.endpoint, { ...row, ...change });
    this.#histories.set(change.endpoint, [...ended, ...(this.#histories.get(change.endpoint) ?? [])].slice(0, 8));
  }
}

function freshRow(updatedAt: number): Omit<DeviceRow, keyof DeviceRecord> {
  return {
    state: "pending",
    failure: null,
    instance: null,
    session: null,
    commencedAt: null,
    completedAt: null,
    attempts: 0,
    failures: 0,
    counter: 0,
    skipped: 0,
    updatedAt,
  };
}
