/** The same question on a cluster: one to five replicas, each with a fixed part of a core as its limit. */
import { Installation } from '@flowforge/deploy/cluster/installation'
import { dismissVisitor, sendVisitor } from '@flowforge/deploy/cluster/visitor-pod'
import { handledCalls } from './handled-calls.ts'
import type { Scaled, ScalingPoint } from './measure.ts'

const image = 'docker.io/flowforge/flowforge:0.1.0'
const callers = 60
const warmUpMs = 3_000

/** An installation in a namespace of its own on the cluster of the current kube context. */
export class ScaledInstallation {
  readonly #installation = new Installation('flowforge-scaling', [
    'gateway.autoscaling.enabled=false',
    'tasks.autoscaling.enabled=false',
    'worker.autoscaling.enabled=false',
    'worker.replicas=1',
    'accounts.replicas=1',
    'notifications.replicas=1',
  ])

  async install(): Promise<void> {
    await this.#installation.makeNamespace()
    await this.#installation.install()
  }

  async remove(): Promise<void> {
    await this.#installation.helm(['uninstall', this.#installation.release, '--wait'])
    await this.#installation.kubectl(['delete', 'namespace', this.#installation.namespace])
  }

  /** Where it runs, for a report. */
  async cluster(): Promise<string> {
    const { serverVersion } = JSON.parse(await this.#installation.kubectl(['version', '--output', 'json']))
    const { items } = JSON.parse(await this.#installation.kubectl(['get', 'nodes', '--output', 'json']))
    return `Kubernetes ${serverVersion.gitVersion}, ${items.length} nodes`
  }

  /** Sets the number of replicas of a component, and one of the other, and asks them for all they can do. */
  async measure(component: Scaled, replicas: number, shareOfCore: number, seconds: number): Promise<ScalingPoint> {
    const installation = this.#installation
    const other = component === 'gateway' ? 'tasks' : 'gateway'
    await installation.upgrade([
      `${component}.replicas=${replicas}`,
      `${component}.resources.limits.cpu=${Math.round(shareOfCore * 1000)}m`,
      `${other}.replicas=1`,
    ])
    await installation.settle()
    const gateway = `http://${installation.release}-gateway.${installation.namespace}`
    const args = [gateway, await installation.apiKey(), String(callers)]
    await sendVisitor(installation, { name: 'callers', script: 'callers.ts', args, image })
    try {
      await this.#callFor(warmUpMs)
      const before = await this.#served(component)
      const seen = await this.#callFor(seconds * 1000)
      const after = await this.#served(component)
      const served = [...after].map(([pod, count]) => count - (before.get(pod) ?? 0))
      return { component, instances: replicas, ...seen, served }
    } finally {
      await dismissVisitor(installation, 'callers')
    }
  }

  async #callFor(forMs: number): Promise<Omit<ScalingPoint, 'component' | 'instances' | 'served'>> {
    const output = await this.#fetchIn('callers', `http://127.0.0.1:9400/measure/${forMs}`, forMs + 60_000)
    return JSON.parse(output)
  }

  /** Calls that each pod has answered so far, by name. */
  async #served(component: Scaled): Promise<Map<string, number>> {
    const pods = await this.#installation.pods(component)
    const counts = pods.map(async ({ metadata: { name } }) => {
      const metrics = await this.#fetchIn(name, 'http://127.0.0.1:9101/metrics', 30_000)
      return [name, handledCalls(metrics)] as const
    })
    return new Map(await Promise.all(counts))
  }

  /** What a pod hears at one of its own ports. */
  async #fetchIn(pod: string, url: string, timeoutMs: number): Promise<string> {
    const program = `fetch('${url}').then((r) => r.text()).then(console.log)`
    return await this.#installation.kubectl(['exec', pod, '--', '/nodejs/bin/node', '--eval', program], { timeoutMs })
  }
}
