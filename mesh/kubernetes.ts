/** Kubernetes objects as one reads them: of the compiler, of a rendered chart, or of a cluster. */
import { compile } from './compile/compile.ts'
import { concreteInstallation, type ConcreteSettings } from './compile/installation.ts'
import type { Policies } from './policy/policy.ts'

/** What every object has. The rest is JSON of its kind. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    annotations?: Record<string, string>
    labels?: Record<string, string>
  }
  spec?: unknown
}

/** The compiled objects of an installation without Helm: those that its settings call for. */
export function compiledObjects(policies: Policies, settings: ConcreteSettings): KubernetesObject[] {
  const holds = { meshed: settings.mesh, enforced: settings.mesh && !settings.audit, always: true }
  const groups = compile(policies, concreteInstallation(settings)).filter(({ when }) => holds[when])
  // Every name is known, so the trees are JSON.
  return groups.flatMap(({ resources }) => resources) as unknown as KubernetesObject[]
}
