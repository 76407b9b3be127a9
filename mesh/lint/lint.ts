/** Judges rendered manifests by everything that was learnt about Linkerd and is not in its documentation. */
import { Manifests, type Manifest } from './manifests.ts'
import type { Finding, LintContext, Rule } from './rule.ts'
import { annotationRules } from './rules/annotations.ts'
import { authorizationRules } from './rules/authorization.ts'
import { podRules } from './rules/pods.ts'
import { routeRules } from './rules/routes.ts'
import { serverRules } from './rules/servers.ts'

/** All rules, in the order in which they are listed. */
export const rules: Rule[] = [...serverRules, ...routeRules, ...annotationRules, ...authorizationRules, ...podRules]

/** Findings with the rule that made each, in the order of the manifests. */
export function lint(manifests: Manifest[], context: LintContext): (Finding & { rule: string })[] {
  const all = new Manifests(manifests)
  const found = rules.flatMap((rule) => rule.judge(all, context).map((finding) => ({ ...finding, rule: rule.id })))
  return found.sort((a, b) => manifests.indexOf(a.object) - manifests.indexOf(b.object))
}
