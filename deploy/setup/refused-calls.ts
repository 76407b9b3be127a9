/** Calls that the contracts forbid, made for real. */
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { dial } from '@flowforge/runtime/client'
import type { Logger } from '@flowforge/runtime/log'
import { loadPolicies, type Component } from '@flowforge/runtime/policy'
import type { Workload } from '@flowforge/runtime/workload'

export interface Finding {
  claim: string
  isRight: boolean
}

/** `host:port` of each server by component. */
type Servers = Record<string, string>

const health = '/grpc.health.v1.Health/Check'
const timeoutMs = 5_000
const connectMs = 4_000

/**
 * Calls as a component every RPC that is not for it, on every server.
 *
 * A server that the network keeps away refuses them all at once. One that answers `Health.Check`, which is for every identity
 * of ours, has seen who we are; then each other call has to end in PERMISSION_DENIED.
 */
export async function refusedCalls(
  component: Component,
  workload: Workload,
  servers: Servers,
  log: Logger,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [server, address] of Object.entries(servers)) {
    const { client, close } = dial({ address, component: server as Component, workload, log })
    if (!(await connects(client))) {
      findings.push({ claim: `${component} cannot connect to ${server}`, isRight: !mayCall(component, server) })
      continue
    }
    const answer = await codeOf(client, health)
    findings.push({ claim: `${server} answers Health.Check of ${component}`, isRight: answer === status.OK })
    for (const path of forbidden(component, server)) {
      const code = await codeOf(client, path)
      const isRight = code === status.PERMISSION_DENIED
      findings.push({ claim: `${server} refuses ${path} of ${component} (${status[code]})`, isRight })
    }
    close()
  }
  return findings
}

/** Calls every server with no identity at all; not even Health.Check may be answered. */
export async function strangerCalls(servers: Servers): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [server, address] of Object.entries(servers)) {
    const client = new Client(address, credentials.createInsecure())
    const code = (await connects(client)) ? await codeOf(client, health) : status.UNAVAILABLE
    const isRight = code === status.UNAVAILABLE || code === status.PERMISSION_DENIED
    findings.push({ claim: `${server} does not answer a stranger (${status[code]})`, isRight })
    client.close()
  }
  return findings
}

function mayCall(component: Component, server: string): boolean {
  return methodsOf(server).some(({ callers }) => callers.has(component))
}

function forbidden(component: Component, server: string): string[] {
  return methodsOf(server).flatMap(({ path, callers }) => (callers.has(component) ? [] : [path]))
}

function methodsOf(server: string) {
  return [...loadPolicies().values()].filter(({ path }) => path.startsWith(`/flowforge.${server}.`))
}

function connects(client: Client): Promise<boolean> {
  return new Promise((resolve) => client.waitForReady(Date.now() + connectMs, (error) => resolve(error === undefined)))
}

/** The status of a call with an empty request; a stream that says nothing until the deadline was let in. */
function codeOf(client: Client, path: string): Promise<status> {
  const bytes = (value: Buffer) => value
  const options = { deadline: Date.now() + timeoutMs }
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve(error?.code ?? status.OK)
    client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), new Metadata(), options, done)
  })
}
