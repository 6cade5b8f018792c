import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";

/** What a request of JSON says. */
export interface JsonRequest {
  readonly method: string;
  readonly agent: Agent;
  /** Headers beside those of the body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Already JSON. */
  readonly body: string | undefined;
  readonly signal?: AbortSignal;
}

/** Sends a request by HTTP or HTTPS, as `target` says. */
export function sendRequest(target: URL, { method, agent, headers, body, signal }: JsonRequest): ClientRequest {
  const make = target.protocol === "https:" ? httpsRequest : httpRequest;
  const request = make(target, {
    method,
    agent,
    ...(signal === undefined ? {} : { signal }),
    headers: {
      ...headers,
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    },
  });
  request.end(body);
  return request;
}

/** The head of the answer; its body is still to be read. Rejects with what node says where there is none. */
export function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", resolve);
  });
}
