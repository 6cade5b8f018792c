import type { MessagePort, Worker } from "node:worker_threads";
import { RegistryFenced, RegistryHeld, type RegistryPlan, RegistryRefused, RegistryUnavailable } from "../dns/index.ts";
import { BerthError, errorText, InternalError } from "../lib/errors.ts";

/** What the other side may call, by name. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** An error as it crosses between threads. */
interface Failure {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly plan?: RegistryPlan;
}

type Message =
  | { readonly kind: "call"; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: "tell"; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure };

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Calls from one thread to another and back, both of them ours. */
export class Rpc {
  readonly #port: Worker | MessagePort;
  readonly #methods: Methods;
  readonly #waiting: Map<number, Waiting> = new Map();
  #lastId = 0;
  #ended: Error | undefined;

  /** @param methods what the other side may call */
  constructor(port: Worker | MessagePort, methods: Methods) {
    this.#port = port;
    this.#methods = methods;
    port.on("message", (message: Message) => this.#receive(message));
  }

  /** Calls a method of the other side. Rejects with what it throws: errors of registries as what they are. */
  call<Result>(method: string, ...args: readonly unknown[]): Promise<Result> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ kind: "call", id, method, args } satisfies Message);
    });
  }

  /** Calls a method without waiting for it. */
  tell(method: string, ...args: readonly unknown[]): void {
    this.#port.postMessage({ kind: "tell", method, args } satisfies Message);
  }

  /** The other side is gone: whatever waits for it fails. */
  end(error: Error): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #receive(message: Message): void {
    if (message.kind === "tell") this.#run(message.method, message.args).catch((error: Error) => this.end(error));
    else if (message.kind === "call") void this.#answer(message.id, message.method, message.args);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "result") waiting?.resolve(message.value as never);
      else waiting?.reject(errorOf(message.failure));
    }
  }

  async #answer(id: number, method: string, args: readonly unknown[]): Promise<void> {
    try {
      this.#port.postMessage({ kind: "result", id, value: await this.#run(method, args) } satisfies Message);
    } catch (error) {
      this.#port.postMessage({ kind: "failure", id, failure: failureOf(error) } satisfies Message);
    }
  }

  async #run(method: string, args: readonly unknown[]): Promise<unknown> {
    const known = this.#methods[method];
    if (known === undefined) throw new InternalError(`no method ${method}`);
    return await known(...(args as never[]));
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof BerthError)) return { name: "InternalError", code: "internal", message: errorText(error) };
  const { name, code, message } = error;
  return { name, code, message, ...(error instanceof RegistryHeld ? { plan: error.plan } : {}) };
}

function errorOf({ name, code, message, plan }: Failure): Error {
  if (name === "RegistryHeld" && plan !== undefined) return new RegistryHeld(message, plan);
  if (name === "RegistryFenced") return new RegistryFenced(code, message);
  if (name === "RegistryRefused") return new RegistryRefused(code, message);
  if (name === "RegistryUnavailable") return new RegistryUnavailable(code, message);
  return new BerthError(code, message);
}
