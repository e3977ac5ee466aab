/**
 * `npm run lab`, `npm run lab:down`: docker-compose.yml from its build until every node is Ready, and away again. What it
 * takes from the environment is said there and in docs/operations.md.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { kubectlFolder } from "../../cli/kubectl.ts";
import { eventually } from "../kit/eventually.ts";
import { type CommandResult, Kubectl, runCommand } from "../kit/kubectl.ts";

const ROOT = path.resolve(import.meta.dirname, "..", "..");
const NODES = ["node-1", "node-2", "node-3"];
const PUBLIC_BASE_IMAGE = "node:24-bookworm-slim";
const BUILD_LIMIT_MS = 600_000;
const READY_LIMIT_MS = 180_000;
const STEP_LIMIT_MS = 180_000;

/** What the user can do something about: told without a stack. */
class LabError extends Error {}

const project = process.env["COMPOSE_PROJECT_NAME"] ?? "keelson-lab";
const kubeconfig = path.join(ROOT, ".cache", "lab", `${project}.kubeconfig`);

function say(line: string): void {
  process.stdout.write(`lab: ${line}\n`);
}

function run(command: readonly string[], env: Record<string, string> = {}, timeoutMs = STEP_LIMIT_MS) {
  return runCommand(command, { cwd: ROOT, env: { COMPOSE_PROJECT_NAME: project, ...env }, timeoutMs });
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  return (await run(command).catch(() => undefined))?.code === 0;
}

function checked(what: string, result: CommandResult): string {
  if (result.code !== 0) throw new LabError(`${what} failed:\n${result.stdout}${result.stderr}`.trimEnd());
  return result.stdout;
}

/** Version 2 where it is, else version 1. */
async function composeProgram(): Promise<readonly string[]> {
  if (!(await succeeds(["docker", "--version"])))
    throw new LabError("there is no docker: install it (Debian: docker.io)");
  if (!(await succeeds(["docker", "version"]))) {
    const where = process.env["DOCKER_HOST"] ?? "its default address";
    throw new LabError(`no Docker daemon answers at ${where}: start one (as root: dockerd), or set DOCKER_HOST`);
  }
  for (const program of [["docker", "compose"], ["docker-compose"]]) {
    if (await succeeds([...program, "version"])) return program;
  }
  throw new LabError("there is no Docker Compose: install it (Debian: docker-compose)");
}

/** What was asked for, else the public image, else one made here from Debian packages. */
async function baseImage(): Promise<string> {
  const asked = process.env["BASE_IMAGE"];
  if (asked !== undefined && asked !== "") return asked;
  if (await succeeds(["docker", "image", "inspect", PUBLIC_BASE_IMAGE])) return PUBLIC_BASE_IMAGE;
  say(`pulling ${PUBLIC_BASE_IMAGE}`);
  if (await succeeds(["docker", "pull", "--quiet", PUBLIC_BASE_IMAGE])) return PUBLIC_BASE_IMAGE;
  say("it cannot be had here: one from Debian packages takes its place (made once, in about a minute)");
  const made = await run(["bash", path.join(import.meta.dirname, "base-image")], {}, BUILD_LIMIT_MS);
  return checked("making a base image", made).trim();
}

async function up(): Promise<void> {
  const compose = await composeProgram();
  const env: Record<string, string> = { BASE_IMAGE: await baseImage() };
  // Docker's newer builder is a program of its own, which a machine may lack.
  if (!(await succeeds(["docker", "buildx", "version"]))) {
    Object.assign(env, { DOCKER_BUILDKIT: "0", COMPOSE_DOCKER_CLI_BUILD: "0" });
  }
  say(`building the image on ${env["BASE_IMAGE"]}`);
  checked("the build", await run([...compose, "build"], env, BUILD_LIMIT_MS));
  say(`starting the containers of ${project}`);
  checked("the start", await run([...compose, "up", "--detach", "--remove-orphans"], env));
  const print = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "pki", "/pki/identities/admin/kubeconfig"];
  const text = checked("reading the kubeconfig", await run([...compose, ...print], env));
  mkdirSync(path.dirname(kubeconfig), { recursive: true });
  writeFileSync(kubeconfig, text, { mode: 0o600 });
  await nodesReady([...compose, "logs"].join(" "));
  say(`${NODES.length} nodes are Ready`);
  process.stdout.write(`\nexport KUBECONFIG=${kubeconfig} PATH=${await kubectlFolder()}:$PATH\n`);
}

/** Says what it still waits for, each time that changes. */
async function nodesReady(logsCommand: string): Promise<void> {
  const kubectl = new Kubectl(kubeconfig, path.join(ROOT, ".cache", "lab", "kubectl-cache"));
  let said = "";
  const probe = async () => {
    const waiting = await missing(kubectl);
    if (waiting !== "" && waiting !== said) say(`waiting: ${waiting}`);
    said = waiting;
    if (waiting !== "") throw new LabError(`${waiting}; "${logsCommand}" may say why`);
  };
  await eventually(probe, { timeoutMs: READY_LIMIT_MS, intervalMs: 500 });
}

async function missing(kubectl: Kubectl): Promise<string> {
  const answer = await kubectl.run(["get", "nodes", "-o", "json", "--request-timeout=5s"]);
  if (answer.code !== 0) return "the API does not answer yet";
  const { items } = JSON.parse(answer.stdout) as {
    items: { metadata: { name: string }; status?: { conditions?: { type: string; status: string }[] } }[];
  };
  const lacking = NODES.filter((name) => {
    const node = items.find((one) => one.metadata.name === name);
    return node?.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") !== true;
  });
  return lacking.length === 0 ? "" : `${lacking.join(", ")} not Ready`;
}

async function down(): Promise<void> {
  const compose = await composeProgram();
  say(`taking away containers, network and volumes of ${project}`);
  checked("taking it away", await run([...compose, "down", "--volumes", "--remove-orphans", "--timeout", "5"]));
  rmSync(kubeconfig, { force: true });
}

const COMMANDS: Readonly<Record<string, () => Promise<void>>> = { up, down };
const command = COMMANDS[process.argv[2] ?? ""];
try {
  if (command === undefined) throw new LabError("say up or down");
  await command();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`lab: ${error.message}\n`);
  process.exitCode = 1;
}
