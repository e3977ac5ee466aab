/** One api-server, on loopback. */
export interface BalancedServer {
  readonly name: string;
  readonly port: number;
  readonly grpcPort: number;
}

export interface BalancerOptions {
  /** Of the REST listening socket that the balancer inherits. */
  readonly listenFd: number;
  /** `HOST:PORT` of gRPC. */
  readonly grpcListen: string;
  readonly servers: readonly BalancedServer[];
  /** Of the api-servers' certificates; relative to where the balancer runs. */
  readonly authorityFile: string;
}

/**
 * HAProxy's configuration: TCP as it comes, so that TLS and client certificates reach the api-server. New connections go to
 * servers that say that they are ready; when none does they go to any, so that clients hear from it why. Sessions of a
 * server that stopped answering are cut, since their clients might wait for ever; idle ones are not, as a watch may be.
 */
export function balancerConfig(options: BalancerOptions): string {
  const { listenFd, grpcListen, servers, authorityFile } = options;
  const check = `check check-ssl check-sni kubernetes verify required verifyhost kubernetes ca-file ${authorityFile}`;
  const backend = (kind: string, portOf: (server: BalancedServer) => number, readiness: (name: string) => string) => `
backend ${kind}-ready
  option httpchk GET /readyz
${servers.map((one) => `  server ${one.name} 127.0.0.1:${portOf(one)} ${readiness(one.name)} on-marked-down shutdown-sessions`).join("\n")}

backend ${kind}-any
${servers.map((one) => `  server ${one.name} 127.0.0.1:${portOf(one)}`).join("\n")}
`;
  return `global
  nbthread 1
  maxconn 4000
  no strict-limits

defaults
  mode tcp
  balance roundrobin
  option redispatch 1
  option clitcpka
  option srvtcpka
  retries 3
  timeout connect 3s
  timeout check 3s
  timeout client 5h
  timeout server 5h
  timeout tunnel 5h
  default-server inter 2s fastinter 500ms downinter 500ms fall 2 rise 1

frontend rest
  bind fd@${listenFd}
  use_backend rest-ready if { nbsrv(rest-ready) gt 0 }
  default_backend rest-any

frontend grpc
  bind ${grpcListen}
  use_backend grpc-ready if { nbsrv(grpc-ready) gt 0 }
  default_backend grpc-any
${backend(
  "rest",
  (one) => one.port,
  () => check,
)}${backend(
  "grpc",
  (one) => one.grpcPort,
  (name) => `track rest-ready/${name}`,
)}`;
}
