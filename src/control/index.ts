export * from "./api.ts";
export * from "./assignment.ts";
export * from "./device.ts";
export * from "./instance.ts";
export * from "./notification.ts";
export * from "./openapi.ts";
export * from "./security-mode.ts";
export * from "./status.ts";
