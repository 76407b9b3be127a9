/** Rules about who is let in. */
import type { AuthorizationSpec } from '../../model/objects.ts'
import type { Manifests } from '../manifests.ts'
import { each, type Rule } from '../rule.ts'

const policies = (all: Manifests) => all.of<AuthorizationSpec>('AuthorizationPolicy', 'policy.linkerd.io')

export const authorizationRules: Rule[] = [
  each('two-authentications', 'two authentications of one kind', policies, (policy) => {
    const kinds = policy.spec.requiredAuthenticationRefs.map(({ kind }) => kind)
    const identities = kinds.filter((kind) => kind === 'MeshTLSAuthentication' || kind === 'ServiceAccount').length
    const networks = kinds.filter((kind) => kind === 'NetworkAuthentication').length
    if (identities <= 1 && networks <= 1) return undefined
    return 'requires two identities (or two networks) at once: references of a policy must all hold, and Linkerd refuses more than one of a kind. Name all callers in one MeshTLSAuthentication, or write a policy for each.'
  }),
  each('missing-target', 'an authorization of something that is not there', policies, (policy, all) => {
    const { kind, name } = policy.spec.targetRef
    if (kind === 'Namespace' || all.all.some((one) => one.kind === kind && one.metadata.name === name)) return undefined
    return `targets ${kind} ${name}, which is not among these objects: it lets nobody in, and what it was meant for denies. Correct the name or remove it.`
  }),
  each('missing-authentication', 'an authorization by something that is not there', policies, (policy, all) => {
    const refs = policy.spec.requiredAuthenticationRefs
    const missing = refs.find(
      ({ kind, name, namespace }) =>
        (kind === 'MeshTLSAuthentication' || kind === 'NetworkAuthentication') &&
        (namespace === undefined || namespace === policy.metadata.namespace) &&
        !all.all.some((one) => one.kind === kind && one.metadata.name === name),
    )
    if (!missing) return undefined
    return `requires ${missing.kind} ${missing.name}, which is not among these objects: Linkerd ignores the policy and denies. Add it or correct the name.`
  }),
]
