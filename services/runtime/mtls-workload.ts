import type { TLSSocket } from 'node:tls'
import type { ChannelCredentials } from '@grpc/grpc-js'
import type { SurfaceCall } from './call-context.ts'
import type { CertificateSource } from './certificates.ts'
import type { Caller } from './decide.ts'
import { connectionOf } from './grpc/call-facts.ts'
import { componentsByIdentity, identityIn, identityOf, type IdentityScope } from './identity.ts'
import type { Workload, WorkloadSettings } from './workload.ts'

/** Without a mesh: both ends of a connection prove their identity by certificate. */
export function mtlsWorkload(
  certificates: CertificateSource,
  settings: WorkloadSettings & Pick<IdentityScope, 'serviceAccounts'>,
): Workload {
  const scope = { ...certificates.scope, serviceAccounts: settings.serviceAccounts }
  const known = componentsByIdentity(scope)
  // Reading a certificate costs as much as a small call, and it is the same for all calls of a connection.
  const callers = new WeakMap<object, Caller>()
  const callerOf = (call: SurfaceCall): Caller => {
    const connection = connectionOf(call)
    const seen = callers.get(connection)
    if (seen) return seen
    const certificate = (connection.socket as TLSSocket).getPeerCertificate()
    const identity = identityIn(certificate)
    const caller = { identity, component: identity === undefined ? undefined : known.get(identity) }
    callers.set(connection, caller)
    return caller
  }
  return {
    identity: certificates.identity,
    policyMode: settings.policyMode,
    retryOwner: settings.retryOwner,
    serverTls: certificates.serverTls,
    channelCredentials: () => certificates.channelCredentials() as ChannelCredentials,
    tlsTo: (component) => certificates.tlsTo(identityOf(component, scope)),
    callersOn: () => callerOf,
    close: certificates.close,
  }
}
