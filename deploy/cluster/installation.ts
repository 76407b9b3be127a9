import { fileURLToPath } from 'node:url'
import { run, type CommandOptions } from './command.ts'
import { until } from './until.ts'

export const chart = fileURLToPath(new URL('../../helm/flowforge', import.meta.url))
export const components = ['gateway', 'tasks', 'accounts', 'notifications', 'worker'] as const

const served: readonly string[] = [...components, 'postgres']

interface Pod {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string }
  spec: { nodeName?: string; containers: { image: string }[] }
  status: { conditions?: { type: string; status: string }[] }
}

/** One release of the chart in a namespace of its own, on the cluster of the current kube context. */
export class Installation {
  readonly namespace: string
  readonly release = 'flowforge'
  readonly values: string[]
  /** Whether there is something to try the rest on. */
  isInstalled = false

  /** `values` are those of every install and upgrade: `key=value`. */
  constructor(namespace: string, values: string[]) {
    this.namespace = namespace
    this.values = values
  }

  kubectl(args: string[], options?: CommandOptions): Promise<string> {
    return run('kubectl', ['--namespace', this.namespace, ...args], options)
  }

  helm(args: string[], options?: CommandOptions): Promise<string> {
    return run('helm', ['--namespace', this.namespace, ...args], options)
  }

  /** Makes the namespace, where only pods of the restricted standard are admitted. */
  async makeNamespace(): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace, labels } }
    await run('kubectl', ['apply', '--filename', '-'], { input: JSON.stringify(namespace) })
  }

  async install(): Promise<void> {
    await this.helm(['install', this.release, chart, '--wait', '--timeout', '5m', ...this.#set([])])
    this.isInstalled = true
  }

  async upgrade(values: string[]): Promise<void> {
    await this.helm(['upgrade', this.release, chart, '--wait', '--timeout', '8m', ...this.#set(values)])
  }

  /** To the revision before, unless told. */
  async rollback(revision?: number): Promise<void> {
    const to = revision === undefined ? [] : [String(revision)]
    await this.helm(['rollback', this.release, ...to, '--wait', '--timeout', '8m'])
  }

  /** Runs a statement as the trial database's owner, and gives what it answers, without headings. */
  sql(statement: string): Promise<string> {
    const login = ['--host', '/var/run/postgresql', '--username', 'postgres', '--dbname', 'flowforge']
    const psql = ['psql', ...login, '--tuples-only', '--no-align', '--command', statement]
    return this.kubectl(['exec', `${this.release}-postgres-0`, '--', ...psql])
  }

  #set(values: string[]): string[] {
    return [...this.values, ...values].flatMap((value) => ['--set', value])
  }

  /** The installation's own pods, of one component when told. */
  async pods(component?: string): Promise<Pod[]> {
    const selector = `app.kubernetes.io/instance=${this.release}${component ? `,app.kubernetes.io/component=${component}` : ''}`
    const { items } = await this.#get<{ items: Pod[] }>(['pods', '--selector', selector])
    // Not those of jobs, which come and go.
    return items.filter(({ metadata }) => served.includes(metadata.labels?.['app.kubernetes.io/component'] ?? ''))
  }

  /** Waits until every Deployment and StatefulSet has all of its pods ready and none is on its way out. */
  async settle(): Promise<void> {
    for (const kind of ['deployment', 'statefulset']) {
      const names = (await this.kubectl(['get', kind, '--output', 'name'])).split('\n').filter(Boolean)
      for (const name of names) await this.kubectl(['rollout', 'status', name, '--timeout', '300s'])
    }
    await until(async () => (await this.pods()).every(isReady), 'all pods are ready', 120_000)
  }

  apiKey(): Promise<string> {
    return this.secret('admin-key', 'key')
  }

  /** What one of the release's Secrets holds under a key. */
  async secret(name: string, key: string): Promise<string> {
    const { data } = await this.#get<{ data: Record<string, string> }>(['secret', `${this.release}-${name}`])
    return Buffer.from(data[key]!, 'base64').toString()
  }

  async desiredReplicas(component: string): Promise<number> {
    const object = await this.#get<{ spec: { replicas: number } }>(['deployment', `${this.release}-${component}`])
    return object.spec.replicas
  }

  async #get<T>(args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...args, '--output', 'json'])) as T
  }
}

/** Whether a pod takes calls and is not on its way out. */
export function isReady({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false
}
