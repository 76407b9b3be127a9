/** This process as a workload of its installation: who it is, how it meets others, and whom it believes. */
import type { ChannelCredentials } from '@grpc/grpc-js'
import type { SurfaceCall } from './call-context.ts'
import { watchCertificates } from './certificates.ts'
import { address, ConfigError, oneOf, path, text, type Values, type Variable } from './config.ts'
import type { Caller } from './decide.ts'
import { defaultScope, identityOf, type IdentityScope } from './identity.ts'
import type { Logger } from './log.ts'
import { meshWorkload } from './mesh-workload.ts'
import { waitForProxy } from './mesh-proxy.ts'
import { mtlsWorkload } from './mtls-workload.ts'
import { components, type Component } from './policy.ts'
import type { ServerTls } from './grpc/server.ts'
import type { Tls } from '@flowforge/grpc/unary/channel'

/** Which layer repeats failed calls; the other one repeats none. */
export type RetryOwner = 'process' | 'mesh'

/** `audit` lets every call through and logs those that `enforce` would refuse. */
export type PolicyMode = 'enforce' | 'audit'

export interface WorkloadSettings {
  policyMode: PolicyMode
  retryOwner: RetryOwner
}

/** What servers and channels need from the process that they are part of. */
export interface Workload extends WorkloadSettings {
  /** The identity of this process. */
  readonly identity: string
  /** What a server encrypts with, and how it learns that this has changed; undefined in a mesh. */
  readonly serverTls: ServerTls | undefined
  channelCredentials(): ChannelCredentials
  /** How connections to a component are encrypted, and what its certificate must say; undefined in a mesh, whose proxies do both. */
  tlsTo(component: string): Tls | undefined
  /** Prepares to say who calls, for a server that listens on this `host:port`. */
  callersOn(listen: string): (call: SurfaceCall) => Caller
  close(): void
}

/** The environment of every process that calls others or is called; part of each service's own configuration. */
export const workloadSpec = {
  /** `mtls`: this process encrypts. `mesh`: its proxy does, and says who calls. */
  transport: oneOf('FLOWFORGE_TRANSPORT', ['mtls', 'mesh'], { default: 'mtls' }),
  /** With `mtls`: the folder of ca.pem, certificate.pem and key.pem. */
  certificates: path('FLOWFORGE_CERTIFICATES', { optional: true }),
  /** With `mesh`; with `mtls` the certificate says both. */
  namespace: text('FLOWFORGE_NAMESPACE', { default: defaultScope.namespace }),
  trustDomain: text('FLOWFORGE_TRUST_DOMAIN', { default: defaultScope.trustDomain }),
  serviceAccounts: serviceAccounts('FLOWFORGE_SERVICE_ACCOUNTS', {}),
  /** With `mesh`: where the proxy says whether it is ready. */
  proxyAdmin: address('FLOWFORGE_PROXY_ADMIN', { default: '127.0.0.1:4191' }),
  retryOwner: oneOf('FLOWFORGE_RETRY_OWNER', ['process', 'mesh'], { default: 'process' }),
  policyMode: oneOf('FLOWFORGE_POLICY_MODE', ['enforce', 'audit'], { default: 'enforce' }),
}

export type WorkloadConfig = Values<typeof workloadSpec>

/**
 * Opens the workload that the environment describes.
 *
 * Throws a ConfigError when its certificates are missing or unusable or, in a mesh, when no proxy is ready: without one
 * everybody could claim any identity.
 */
export async function openWorkload(component: Component, config: WorkloadConfig, log: Logger): Promise<Workload> {
  if (config.policyMode === 'audit') log.warn('policy is audited only: calls that it forbids are served and logged')
  const { namespace, trustDomain } = config
  if (config.transport === 'mesh') {
    await waitForProxy(config.proxyAdmin, log)
    const scope = { namespace, trustDomain, serviceAccounts: config.serviceAccounts }
    return meshWorkload(identityOf(component, scope), scope, config, log)
  }
  if (config.certificates === undefined) {
    throw new ConfigError(
      'FLOWFORGE_CERTIFICATES is not set; example: FLOWFORGE_CERTIFICATES=.flowforge/certificates/tasks',
    )
  }
  return mtlsWorkload(watchCertificates(config.certificates, log), { ...config })
}

/** The ServiceAccounts that are not named like their component: `gateway=release-flowforge-gateway,tasks=…`. */
function serviceAccounts(
  name: string,
  fallback: IdentityScope['serviceAccounts'] & {},
): Variable<IdentityScope['serviceAccounts'] & {}> {
  return {
    name,
    default: fallback,
    optional: false,
    example: 'gateway=release-flowforge-gateway,tasks=release-flowforge-tasks',
    parse(value) {
      const entries = value.split(',').map((entry) => entry.trim().split('='))
      for (const [component, account, ...rest] of entries) {
        if (rest.length > 0 || !isComponent(component) || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(account ?? '')) {
          throw new Error(`be component=account pairs, the components being ${components.join(', ')}`)
        }
      }
      if (new Set(entries.map(([, account]) => account)).size < entries.length) {
        throw new Error('name an account for one component only')
      }
      return Object.fromEntries(entries) as Partial<Record<Component, string>>
    },
  }
}

function isComponent(word: string | undefined): boolean {
  return components.some((one) => one === word)
}
