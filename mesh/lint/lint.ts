/** Judges rendered manifests by everything that was learnt about Linkerd and is not in its documentation. */
import { Manifests, type Manifest } from './manifests.ts'
import type { Finding, LintContext, Rule } from './rule.ts'
import { annotationRules } from './rules/annotations.ts'
import { authorizationRules } from './rules/authorization.ts'
import { podRules } from './rules/pods.ts'
import { routeRules } from './rules/routes.ts'
import { serverRules } from './rules/servers.ts'
import { misshape } from './shape.ts'

/** All rules, in the order in which they are listed. */
export const rules: Rule[] = [...serverRules, ...routeRules, ...annotationRules, ...authorizationRules, ...podRules]

/** Findings with the rule that made each, in the order of the manifests. */
export function lint(manifests: Manifest[], context: LintContext): (Finding & { rule: string })[] {
  const malformed = manifests.flatMap((object) => {
    const problem = misshape(object)
    return problem === undefined
      ? []
      : [{ object, rule: 'malformed', message: `is refused by the API server: ${problem}.` }]
  })
  const sound = new Manifests(manifests.filter((object) => !malformed.some((one) => one.object === object)))
  const found = rules.flatMap((rule) => rule.judge(sound, context).map((finding) => ({ ...finding, rule: rule.id })))
  return [...malformed, ...found].sort((a, b) => manifests.indexOf(a.object) - manifests.indexOf(b.object))
}
