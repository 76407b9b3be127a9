import { callGraph } from '@flowforge/mesh/graph'
import { loadPolicies } from '@flowforge/mesh/policy/read-policies'
import type { Installation } from './installation.ts'
import type { Finding } from './steps.ts'
import { dismissVisitor, sendVisitor, visitorOutput } from './visitor-pod.ts'

const ports: Record<string, number> = { gateway: 80, tasks: 7101, accounts: 7101, notifications: 7101, postgres: 5432 }

/** Who may open a connection to whom: the contracts' call graph, the databases, and the gateway for `stranger`, a pod with no label of ours. */
function openEdges(): Record<string, string[]> {
  const open: Record<string, string[]> = {
    gateway: [],
    tasks: ['postgres'],
    accounts: ['postgres'],
    notifications: ['postgres'],
    worker: [],
    stranger: ['gateway'],
  }
  for (const { from, to } of callGraph(loadPolicies())) open[from]?.push(to)
  return open
}

/** Tries every edge from a pod with the labels of each component, and from a stranger. */
export async function checkEdges(installation: Installation, image: string): Promise<Finding> {
  const { release, namespace } = installation
  const open = openEdges()
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
