/**
 * In a mesh the proxy beside this process encrypts, checks certificates, and says who calls in `l5d-client-id`. It
 * replaces what a caller sends under that name, or removes it, so the header is as good as a certificate. But only if
 * the proxy wrote it: whoever gets past the proxy can write anything.
 */
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { credentials } from '@grpc/grpc-js'
import type { SurfaceCall } from './call-context.ts'
import type { Caller } from './decide.ts'
import { connectionOf } from './grpc/call-facts.ts'
import { componentsByIdentity, type IdentityScope } from './identity.ts'
import { splitAddress } from '@flowforge/grpc/split-address'
import type { Logger } from './log.ts'
import type { Workload, WorkloadSettings } from './workload.ts'

const clientId = 'l5d-client-id'
const nobody: Caller = { identity: undefined, component: undefined }

/** In a mesh: plaintext to the own proxy, and its word about callers. */
export function meshWorkload(
  identity: string,
  scope: IdentityScope,
  settings: WorkloadSettings,
  log: Logger,
): Workload {
  const known = new Map<string, Caller>(
    [...componentsByIdentity(scope)].map(([one, component]) => [one, { identity: one, component }]),
  )
  return {
    identity,
    policyMode: settings.policyMode,
    retryOwner: settings.retryOwner,
    serverTls: undefined,
    channelCredentials: () => credentials.createInsecure(),
    tlsTo: () => undefined,
    callersOn(listen) {
      const fromProxy = proxyConnections(listen, log)
      return (call) => {
        if (!fromProxy(call)) return nobody
        const values = call.metadata.get(clientId)
        if (values.length !== 1) return nobody
        const claimed = String(values[0])
        return known.get(claimed) ?? { identity: claimed, component: undefined }
      }
    },
    close() {},
  }
}

/**
 * Whether a call comes from the proxy. To the process the proxy looks like the pod itself: the peer has one of the pod's
 * own addresses. The loopback address counts only for a server that listens on nothing else: in a pod it is the way of
 * `kubectl port-forward`, past the proxy.
 */
function proxyConnections(listen: string, log: Logger): (call: SurfaceCall) => boolean {
  const onLoopback = isLoopback(splitAddress(listen).host)
  const verdicts = new WeakMap<object, boolean>()
  const judge = (peer: string): boolean => {
    const isOwn = isLoopback(peer) ? onLoopback : ownAddresses().has(peer)
    if (!isOwn) log.warn({ peer }, 'a connection came past the mesh’s proxy: its callers are nobody')
    return isOwn
  }
  return (call) => {
    const connection = connectionOf(call)
    const peer = connection.socket.remoteAddress
    if (peer === undefined) return false
    let verdict = verdicts.get(connection)
    if (verdict === undefined) verdicts.set(connection, (verdict = judge(withoutMapping(peer))))
    return verdict
  }
}

function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((addresses) => addresses!.map(({ address }) => address)))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** `::ffff:10.1.2.3`, as a dual-stack socket shows an IPv4 peer, as `10.1.2.3`. */
function withoutMapping(address: string): string {
  const mapped = address.replace(/^::ffff:/i, '')
  return isIPv4(mapped) ? mapped : address
}
