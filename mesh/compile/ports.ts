/** Where gRPC arrives. The container port and the Service port are both named `grpc` and have this number. */
export const ports = { grpc: 7101 } as const

/** Linkerd's, as observed on a real mesh: where the proxy of a pod takes what other proxies send. */
export const linkerdPorts = { inbound: 4143 } as const
