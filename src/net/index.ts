export * from "./http-client.ts";
export * from "./http-server.ts";
export * from "./impaired-udp.ts";
export * from "./json-client.ts";
export * from "./resolve.ts";
export * from "./system.ts";
export * from "./tcp.ts";
export * from "./ticker.ts";
export { CannotListen, type DatagramHandler, openUdp, type UdpOptions, type UdpSocket } from "./udp.ts";
