import { Admission, type AdmissionOptions } from "../../src/bootstrap/admission.ts";
import type { Instant, Milliseconds } from "../../src/lib/clock.ts";
import { seededRandom } from "../../src/lib/random.ts";

/*
 * A model of an instance in a storm: one thread that takes datagrams from a socket in their order, each for a time of its
 * own, and devices that repeat what is not answered. Virtual time; what it costs is close to what is measured of an
 * instance (docs/admission.md).
 */

/** CPU time of the instance for a datagram, ms. */
const COST = { refused: 0.04, invited: 0.15, accepted: 0.6, step: 0.25, repeat: 0.2 } as const;
/** Finished and the answers to the requests of a session. */
const STEPS = 6;
/** CPU time of a whole bootstrap, ms. */
export const WHOLE: Milliseconds = COST.invited + COST.accepted + STEPS * COST.step;
/** Datagrams the socket's buffer holds; more are dropped. */
const SOCKET = 4000;
/** DTLS timer of devices (RFC 6347 section 4.2.4.1), and of the instance's requests (RFC 7252 section 4.8). */
const DTLS_TIMEOUT: Milliseconds = 1000;
const ACK_TIMEOUT: Milliseconds = 1000;
const MAX_RETRANSMIT = 3;
const SESSION_DEADLINE: Milliseconds = 60_000;

/** Who comes, and what decides on them. */
export interface Storm {
  /** When devices come, ms from the start. */
  readonly arrivals: readonly Instant[];
  /** ClientHellos a second from forged senders, from the start on. */
  readonly forged?: number;
  readonly roundTrip: Milliseconds;
  /** Share of the devices that say each ClientHello once only, as tinydtls does. */
  readonly once?: number;
  /** Devices give up a handshake after that long, and begin another from another port; for ever if not given. */
  readonly patience?: Milliseconds;
  /** How long it is watched. */
  readonly until: Instant;
  /** Absent: nobody is turned away. */
  readonly admission?: Omit<AdmissionOptions, "inProgress">;
  /** How much of the core others take, between two instants. */
  readonly taken?: { readonly from: Instant; readonly to: Instant; readonly share: number };
}

/** How one device fared. */
export interface Fate {
  readonly arrived: Instant;
  /** Its handshake was accepted. */
  accepted?: Instant;
  /** Its bootstrap ended, well or not. */
  completed?: Instant;
  failed?: Instant;
}

/** What came of it. */
export interface Outcome {
  readonly fates: readonly Fate[];
  /** In the order of time. */
  readonly accepted: readonly Instant[];
  readonly admission: Admission;
  /** The most there were in progress at a time. */
  readonly mostInProgress: number;
  /** Datagrams the socket dropped. */
  readonly dropped: number;
}

interface Device {
  key: string;
  readonly fate: Fate;
  readonly once: boolean;
  state: "silent" | "hello" | "proven" | "session" | "over";
  step: number;
}

/** Plays a storm. */
export function play(storm: Storm): Outcome {
  return new Model(storm).play();
}

class Model {
  readonly #storm: Storm;
  readonly #random = seededRandom(11);
  readonly #events = new EventQueue();
  readonly #socket: (() => Milliseconds)[] = [];
  readonly #admission: Admission;
  readonly #fates: Fate[] = [];
  readonly #accepted: Instant[] = [];
  #now: Instant = 0;
  #working = false;
  #busy: Milliseconds = 0;
  #idle: Milliseconds = 0;
  #idleSince: Instant = 0;
  #inProgress = 0;
  #most = 0;
  #ended = 0;
  #secured = 0;
  #dropped = 0;

  constructor(storm: Storm) {
    this.#storm = storm;
    const auto = { handshakesPerSecond: "auto", sessions: "auto" } as const;
    this.#admission = new Admission({ ...(storm.admission ?? auto), inProgress: () => this.#inProgress });
  }

  play(): Outcome {
    const { arrivals, forged = 0, until } = this.#storm;
    for (const at of arrivals) this.#at(at, () => this.#arrive());
    if (forged > 0) this.#forge(forged, 0);
    this.#every(20, () => this.#admission.nextDeadline() !== undefined && this.#deliver(() => this.#tick()));
    this.#every(100, () => this.#measure());
    for (let event = this.#events.take(); event !== undefined && event.at <= until; event = this.#events.take()) {
      this.#now = event.at;
      event.run();
    }
    return {
      fates: this.#fates,
      accepted: this.#accepted,
      admission: this.#admission,
      mostInProgress: this.#most,
      dropped: this.#dropped,
    };
  }

  #at(at: Instant, run: () => void): void {
    this.#events.add(at, run);
  }

  #every(span: Milliseconds, run: () => void): void {
    this.#at(this.#now + span, () => {
      run();
      this.#every(span, run);
    });
  }

  // The devices

  #arrive(): void {
    const fate: Fate = { arrived: this.#now };
    const once = this.#random.uniform() < (this.#storm.once ?? 0);
    this.#fates.push(fate);
    const device: Device = { key: `device ${this.#fates.length}`, fate, once, state: "silent", step: 0 };
    this.#begin(device);
  }

  #begin(device: Device): void {
    this.#say(device, "hello", DTLS_TIMEOUT);
    const { patience } = this.#storm;
    if (patience === undefined) return;
    this.#at(this.#now + patience, () => {
      if (device.state !== "hello") return;
      device.key += "'";
      device.state = "silent";
      this.#begin(device);
    });
  }

  /** A device says its ClientHello, and again for as long as nothing comes back. */
  #say(device: Device, state: "hello" | "proven", timeout: Milliseconds): void {
    if (device.state !== state) device.state = state;
    const { key } = device;
    this.#send(() => (state === "hello" ? this.#hello(device, key, true) : this.#proven(device)));
    if (device.once || timeout > SESSION_DEADLINE) return;
    this.#at(this.#now + timeout, () => {
      if (device.state === state && device.key === key) this.#say(device, state, timeout * 2);
    });
  }

  #forge(perSecond: number, count: number): void {
    const device: Device = { key: `forged ${count}`, fate: { arrived: this.#now }, once: true, state: "hello", step: 0 };
    this.#deliver(() => this.#hello(device, device.key, false));
    this.#at(this.#now + 1000 / perSecond, () => this.#forge(perSecond, count + 1));
  }

  /** To the instance, which is half a round trip away. */
  #send(work: () => Milliseconds): void {
    this.#at(this.#now + this.#storm.roundTrip / 2, () => this.#deliver(work));
  }

  // The instance

  #deliver(work: () => Milliseconds): void {
    if (this.#socket.length >= SOCKET) {
      this.#dropped++;
      return;
    }
    this.#socket.push(work);
    if (!this.#working) this.#work();
  }

  #work(): void {
    const work = this.#socket.shift();
    if (work === undefined) {
      if (this.#working) this.#idleSince = this.#now;
      this.#working = false;
      return;
    }
    if (!this.#working) this.#idle += this.#now - this.#idleSince;
    this.#working = true;
    const cost = work();
    this.#busy += cost;
    const { taken } = this.#storm;
    const share = taken !== undefined && this.#now >= taken.from && this.#now < taken.to ? taken.share : 0;
    this.#at(this.#now + cost / (1 - share), () => this.#work());
  }

  #tick(): Milliseconds {
    const before = this.#spent;
    this.#admission.tick(this.#now);
    return this.#spent - before;
  }

  /** CPU time of what was called from the waiting rooms. */
  #spent: Milliseconds = 0;

  #spend(cost: Milliseconds): void {
    this.#spent += cost;
  }

  #measure(): void {
    if (this.#storm.admission === undefined) return;
    const idle = this.#idle + (this.#working ? 0 : this.#now - this.#idleSince);
    const measured = { idle, cpu: this.#busy, handshakes: this.#secured, ended: this.#ended, memory: 4e9 };
    this.#admission.measure(measured, this.#now);
  }

  #hello(device: Device, key: string, real: boolean): Milliseconds {
    if (this.#storm.admission !== undefined && !this.#admission.admits(this.#now)) {
      const again = (): void => this.#spend(this.#hello(device, key, real));
      this.#admission.wait(key, false, again, this.#now);
      return COST.refused;
    }
    const answered = (): void => {
      if (device.state === "hello" && device.key === key) this.#say(device, "proven", DTLS_TIMEOUT);
    };
    if (real) this.#at(this.#now + this.#storm.roundTrip / 2, answered);
    return COST.invited;
  }

  #proven(device: Device): Milliseconds {
    if (device.state !== "proven" || device.fate.accepted !== undefined) return COST.repeat;
    if (this.#storm.admission !== undefined && !this.#admission.admit(this.#now)) {
      const again = (): void => this.#spend(this.#proven(device));
      this.#admission.wait(device.key, true, again, this.#now);
      return COST.refused;
    }
    device.fate.accepted = this.#now;
    this.#accepted.push(this.#now);
    this.#inProgress++;
    this.#most = Math.max(this.#most, this.#inProgress);
    this.#at(this.#now + this.#storm.roundTrip / 2, () => {
      if (device.state === "proven") device.state = "session";
    });
    this.#request(device, 1, ACK_TIMEOUT * (1 + this.#random.uniform() / 2), MAX_RETRANSMIT);
    return COST.accepted;
  }

  /** The instance's flight or request goes out; again, if the answer takes too long. */
  #request(device: Device, step: number, timeout: Milliseconds, more: number): void {
    this.#at(this.#now + this.#storm.roundTrip / 2, () => this.#send(() => this.#answer(device, step)));
    this.#at(this.#now + timeout, () => {
      if (device.step >= step || device.state === "over") return;
      if (more === 0 || this.#now - (device.fate.accepted ?? 0) > SESSION_DEADLINE) return this.#end(device, "failed");
      this.#deliver(() => {
        if (device.step < step && device.state !== "over") this.#request(device, step, timeout * 2, more - 1);
        return COST.repeat;
      });
    });
  }

  #answer(device: Device, step: number): Milliseconds {
    if (device.step >= step || device.state === "over") return COST.repeat;
    device.step = step;
    if (step === 1) this.#secured++;
    if (step === STEPS) this.#end(device, "completed");
    else this.#request(device, step + 1, ACK_TIMEOUT * (1 + this.#random.uniform() / 2), MAX_RETRANSMIT);
    return COST.step;
  }

  #end(device: Device, how: "completed" | "failed"): void {
    device.state = "over";
    device.fate[how] = this.#now;
    this.#inProgress--;
    this.#ended++;
  }
}

/** What happens when: a binary heap, in the order of time, and of being added where that is the same. */
class EventQueue {
  readonly #heap: { readonly at: Instant; readonly order: number; readonly run: () => void }[] = [];
  #added = 0;

  add(at: Instant, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#added++, run });
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  take(): { readonly at: Instant; run(): void } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let parent = 0; ; ) {
      let child = 2 * parent + 1;
      if (child >= heap.length) return first;
      if (child + 1 < heap.length && this.#isBefore(child + 1, child)) child++;
      if (!this.#isBefore(child, parent)) return first;
      this.#swap(child, parent);
      parent = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined) return false;
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined) return;
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
