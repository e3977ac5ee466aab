import type {
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  Probe,
  SleepAction,
  TCPSocketAction,
} from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { portNameProblems, portNumberProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

interface Handler {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: GRPCAction;
  readonly sleep?: SleepAction;
}

const counters = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

/** `onlyOneSuccess`: the probe cannot ask for more than one success in a row. */
export function checkProbe(
  probe: Probe | undefined,
  path: FieldPath,
  violations: Violations,
  { onlyOneSuccess = false } = {},
): void {
  if (probe === undefined) return;
  checkHandler(probe, path, violations);
  for (const member of counters) {
    const value = probe[member] ?? 0;
    if (value < 0) violations.invalid(path.child(member), value, "must be greater than or equal to 0");
  }
  const { terminationGracePeriodSeconds: grace, successThreshold = 1 } = probe;
  if (grace !== undefined && grace <= 0) {
    violations.invalid(path.child("terminationGracePeriodSeconds"), grace, "must be greater than 0");
  }
  if (onlyOneSuccess && successThreshold !== 1) {
    violations.invalid(path.child("successThreshold"), successThreshold, "must be 1");
  }
}

/** Exactly one action, complete in itself. */
export function checkHandler(handler: Handler, path: FieldPath, violations: Violations): void {
  const named = (["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const).filter(
    (one) => handler[one] !== undefined,
  );
  if (named.length === 0) violations.required(path, "must specify a handler type");
  for (const extra of named.slice(1))
    violations.forbidden(path.child(extra), "may not specify more than 1 handler type");
  const { exec, httpGet, tcpSocket, grpc } = handler;
  if (exec !== undefined && (exec.command ?? []).length === 0) violations.required(path.child("exec", "command"));
  if (httpGet !== undefined) {
    if ((httpGet.path ?? "") === "") violations.required(path.child("httpGet", "path"));
    checkPort(httpGet.port, path.child("httpGet", "port"), violations);
    for (const [index, header] of (httpGet.httpHeaders ?? []).entries()) {
      if (/^[-A-Za-z0-9]+$/.test(header.name ?? "")) continue;
      const detail =
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
      violations.invalid(path.child("httpGet", "httpHeaders").index(index).child("name"), header.name ?? "", detail);
    }
  }
  if (tcpSocket !== undefined) checkPort(tcpSocket.port, path.child("tcpSocket", "port"), violations);
  if (grpc !== undefined) checkPort(grpc.port, path.child("grpc", "port"), violations);
}

/** A number, or the name of a port; an absent one is 0. */
export function checkPort(port: number | string | undefined, path: FieldPath, violations: Violations): void {
  const problems = typeof port === "string" ? portNameProblems(port) : portNumberProblems(port ?? 0);
  violations.invalidEach(path, port ?? 0, problems);
}
