import { BootstrapInstance } from "../../dist/bootstrap/index.js";
import { silentLogger } from "../../dist/lib/log.js";
import { ControlClient, systemClock, systemRandom } from "../../dist/net/index.js";

/*
 * The instance under test: alone in its process, so that its CPU time can be told, and compiled, as it is when it
 * serves devices (what runs TypeScript directly makes each function it meets dearer). Messages: see messages.ts.
 */
let instance;

process.on("message", async (message) => {
  switch (message.type) {
    case "start":
      instance = await BootstrapInstance.start({
        id: "bench",
        listeners: [{ scheme: "coaps", address: "127.0.0.1", port: 0 }],
        advertise: { ipv4: "127.0.0.1" },
        control: new ControlClient(message),
        clock: systemClock,
        random: systemRandom,
        log: silentLogger,
        // What a bootstrap costs is measured, so nobody has to wait; how many are let in is the storm bench's question.
        admission: { handshakesPerSecond: 1_000_000, sessions: 1_000_000 },
      });
      process.send({ type: "listening", port: instance.listeners[0].port });
      return;
    case "measure": {
      const { user, system } = process.cpuUsage();
      process.send({
        type: "measured",
        devices: instance.devices,
        cpu: (user + system) / 1000,
        system: system / 1000,
        rss: process.memoryUsage.rss(),
      });
      return;
    }
    case "stop":
      await instance?.stop();
      process.disconnect();
  }
});
