/**
 * Workload identities, as Linkerd writes them: a DNS name in the certificate's subject alternative names,
 *
 *     tasks.flowforge.serviceaccount.identity.linkerd.cluster.local
 *     component.namespace                             trust domain
 */
import type { PeerCertificate } from 'node:tls'
import { components, type Component } from './policy.ts'

/** Where identities count: the same component of another namespace or trust domain is a stranger. */
export interface IdentityScope {
  namespace: string
  trustDomain: string
  /** The ServiceAccounts that are not named like their component. */
  serviceAccounts?: Partial<Record<Component, string>> | undefined
}

export const defaultScope: IdentityScope = { namespace: 'flowforge', trustDomain: 'cluster.local' }

const pattern = /^([a-z0-9-]+)\.([a-z0-9-]+)\.serviceaccount\.identity\.linkerd\.([a-z0-9.-]+)$/

/** The identity of a component. */
export function identityOf(component: string, scope: IdentityScope = defaultScope): string {
  const account = scope.serviceAccounts?.[component as Component] ?? component
  return `${account}.${scope.namespace}.serviceaccount.identity.linkerd.${scope.trustDomain}`
}

/** The identities of this installation. */
export function componentsByIdentity(scope: IdentityScope): Map<string, Component> {
  return new Map(components.map((component) => [identityOf(component, scope), component]))
}

/** The namespace and trust domain of an identity, or undefined if it is not one. */
export function scopeOf(identity: string): IdentityScope | undefined {
  const match = pattern.exec(identity)
  return match ? { namespace: match[2]!, trustDomain: match[3]! } : undefined
}

/** The identity that a certificate proves, or undefined when it carries none or several. */
export function identityIn(certificate: Pick<PeerCertificate, 'subjectaltname'>): string | undefined {
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length))
    .filter((name) => pattern.test(name))
  return names.length === 1 ? names[0] : undefined
}
