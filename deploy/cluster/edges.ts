import type { Installation } from './installation.ts'
import type { Finding } from './steps.ts'
import { dismissVisitor, sendVisitor, visitorOutput } from './visitor-pod.ts'

/** Who may open a connection to whom; `stranger` is a pod with no label of ours. */
const open: Record<string, string[]> = {
  gateway: ['tasks', 'accounts', 'notifications'],
  tasks: ['postgres'],
  accounts: ['postgres'],
  notifications: ['tasks', 'postgres'],
  worker: ['tasks'],
  stranger: ['gateway'],
}
const ports: Record<string, number> = { gateway: 80, tasks: 7101, accounts: 7101, notifications: 7101, postgres: 5432 }

/** Tries every edge from a pod with the labels of each component, and from a stranger. */
export async function checkEdges(installation: Installation, image: string): Promise<Finding> {
  const { release, namespace } = installation
  const targetOf = (component: string) => `${release}-${component}.${namespace}:${ports[component]}`
  const targets = Object.keys(ports)
  for (const visitor of Object.keys(open)) {
    const labels: Record<string, string> =
      visitor === 'stranger'
        ? {}
        : {
            'app.kubernetes.io/name': 'flowforge',
            'app.kubernetes.io/instance': release,
            'app.kubernetes.io/component': visitor,
          }
    await sendVisitor(installation, {
      name: `reach-${visitor}`,
      script: 'reach.ts',
      args: targets.map(targetOf),
      image,
      labels,
    })
  }
  const wrong: string[] = []
  for (const [visitor, allowed] of Object.entries(open)) {
    const reached = JSON.parse(await visitorOutput(installation, `reach-${visitor}`)) as Record<string, boolean>
    await dismissVisitor(installation, `reach-${visitor}`)
    for (const target of targets) {
      const isOpen = reached[targetOf(target)]
      if (isOpen !== allowed.includes(target)) wrong.push(`${visitor} → ${target} is ${isOpen ? 'open' : 'closed'}`)
    }
  }
  if (wrong.length > 0) throw new Error(wrong.join(', '))
  const edges = Object.keys(open).length * targets.length
  const allowed = Object.values(open).flat().length
  return { detail: `${edges} edges tried, ${allowed} open, ${edges - allowed} closed` }
}
