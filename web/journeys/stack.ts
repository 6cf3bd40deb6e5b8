// A running Ropeline to walk through: the one that ROPELINE_URL names, or one
// of our own on private ports, taken down at the end.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Stack {
  url: string;
  sale: string;
  staffKey: string;
  /** Started just now, so that its lobby is still open. */
  fresh: boolean;
  /** The folder of its keys, of a stack of our own. */
  keys?: string;
  /** Where its servers are, of a stack of our own. */
  redis?: string;
  postgres?: string;
  /** Where its letters come to, and are read. */
  mailbox?: string;
  /** Where a shop of somebody else's may listen, and where a stack of our own shows it. */
  shop?: { port: number; url: string };
  stop: () => Promise<void>;
}

export const binary = resolve("..", "bin", "ropeline");

/** Changes what a stack of our own keeps, where there is no other way to. */
export function sql(stack: Stack, text: string): void {
  const debian = "/usr/lib/postgresql"; // there it is beside the server, and not always in the path
  const found = existsSync(debian) ? readdirSync(debian).map((version) => `${debian}/${version}/bin/psql`) : [];
  execFileSync(found.find((path) => existsSync(path)) ?? "psql", [stack.postgres!, "-qc", text]);
}

/** Long enough in the lobby to look around, short enough to run often. */
const demo = {
  title: "The Lanterns, winter tour",
  opens_in: 20,
  lobby_close: 3,
  cap: 500,
  rate: 600,
  claim_window: 60,
  token_life: 20,
  seats: 2000,
  general: 500,
};
const startPatience = 60_000;
const stopPatience = 30_000;

export async function findStack(): Promise<Stack> {
  const url = process.env.ROPELINE_URL;
  if (url === undefined || url === "") return startStack();
  const sale = process.env.ROPELINE_SALE ?? "demo";
  return { url: url.replace(/\/$/, ""), sale, staffKey: process.env.ROPELINE_STAFF_KEY ?? "", fresh: false, ...(process.env.ROPELINE_MAILBOX ? { mailbox: process.env.ROPELINE_MAILBOX } : {}), stop: async () => {} };
}

/** A stack of one's own, with another sale; where a port is given it listens there. keys: files in the folder of its keys. */
export async function startStack(changes: object = {}, at: { port?: number; keys?: Record<string, string> } = {}): Promise<Stack> {
  if (!existsSync(binary)) throw new Error(`${binary} is missing; build it with: make build`);
  const folder = mkdtempSync(join(tmpdir(), "ropeline-journeys-"));
  const [data, demoFile] = [join(folder, "data"), join(folder, "demo.json")];
  writeFileSync(demoFile, JSON.stringify({ ...demo, ...changes }));
  const port = await freePort();
  const routes = join(folder, "routes.json");
  writeFileSync(routes, JSON.stringify(shopRoutes(port, (changes as { sale?: string }).sale ?? "demo")));
  const flags = ["--routes", routes, "--data", data, "--listen", `127.0.0.1:${at.port ?? 0}`, "--demo", demoFile, "--card-fields", "--joins-limit=-1", "--requests-limit=-1"];
  if (at.keys) mkdirSync(join(data, "keys"), { recursive: true });
  for (const [name, text] of Object.entries(at.keys ?? {})) writeFileSync(join(data, "keys", name), text, { mode: 0o600 });
  const child = spawn(binary, ["dev", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
  try {
    const ready = await untilReady(child, join(data, "dev.json"), () => log);
    const stop = async () => {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    };
    return { url: ready.edge, sale: ready.sale, staffKey: ready.staff_key, fresh: true, keys: join(data, "keys"), mailbox: ready.mailbox, shop: { port, url: ready.edge.replace("127.0.0.1", "shop.localhost") }, redis: ready.redis, postgres: ready.postgres, stop };
  } catch (cause) {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** The gate in front of a shop: one may look around, and buys with a token. */
const shopRoutes = (port: number, sale: string) => ({
  rooms: ["127.0.0.1"],
  hosts: [
    {
      host: "shop.localhost",
      upstream: `http://127.0.0.1:${port}`,
      sale,
      routes: [
        { paths: ["/"], methods: ["GET"], token: "none", fail: "open" },
        { paths: ["/buy/**"], token: "required", fail: "closed" },
      ],
    },
  ],
});

/** dev.json appears, complete, once everything answers. */
async function untilReady(child: ChildProcess, file: string, log: () => string): Promise<{ edge: string; sale: string; staff_key: string; mailbox: string; redis: string; postgres: string }> {
  const deadline = Date.now() + startPatience;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the stack ended with ${child.exitCode}:\n${log()}`);
    if (existsSync(file)) {
      try {
        return JSON.parse(readFileSync(file, "utf8"));
      } catch {
        // Not written to its end yet.
      }
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`the stack was not ready in time:\n${log()}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  child.kill("SIGINT");
  const killer = setTimeout(() => child.kill("SIGKILL"), stopPatience);
  await ended;
  clearTimeout(killer);
}
