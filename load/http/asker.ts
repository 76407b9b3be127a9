/** What the callers of a scenario send. */
import type { HttpTarget } from '../http-target.ts'
import type { Scenario } from './scenarios.ts'

const tasksPath = '/v1/projects/default/tasks'

export interface AskerOptions {
  target: HttpTarget
  scenario: Scenario
  /** Of a server that takes as long as the scenario's tasks, if they take any time. */
  slowUrl: string | undefined
}

/** Asks what a scenario asks for, each time as soon as it is told to. */
export class Asker {
  readonly #target: HttpTarget
  readonly #scenario: Scenario
  readonly #slowUrl: string | undefined
  readonly #text: string
  readonly #open = new Set<Promise<unknown>>()
  /** A task that was created, to be read. */
  #known = ''
  #asked = 0

  constructor({ target, scenario, slowUrl }: AskerOptions) {
    this.#target = target
    this.#scenario = scenario
    this.#slowUrl = slowUrl
    this.#text = 'x'.repeat(scenario.payloadBytes)
  }

  /** Whether the answer was 200. */
  ask(): Promise<boolean> {
    const index = this.#asked++
    const { readEvery } = this.#scenario
    const isRead = readEvery !== undefined && this.#known !== '' && index % readEvery === 0
    const asking = (isRead ? this.#read(index) : this.#create(index)).finally(() => this.#open.delete(asking))
    this.#open.add(asking)
    return asking
  }

  /** Settles when every question was answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#open)
  }

  /** Creates many tasks with few calls. */
  async store(count: number): Promise<void> {
    for (let first = 0; first < count; first += 1_000) {
      const requests = Array.from({ length: Math.min(1_000, count - first) }, (_, n) => ({
        task: this.#task(first + n, 'x'.repeat(100)),
      }))
      await this.#post(`${tasksPath}:batchCreate`, { requests })
    }
  }

  /** Lets workers have the scenario's tasks, or not, whose queue exists since the first of them. */
  async setPaused(isPaused: boolean): Promise<void> {
    await this.#post(`/v1/projects/default/queues/${this.#scenario.name}:${isPaused ? 'pause' : 'resume'}`, {})
  }

  async #post(path: string, message: object): Promise<void> {
    const { status, body } = await this.#target.call('POST', path, JSON.stringify(message))
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${body.slice(0, 200)}`)
  }

  async #read(index: number): Promise<boolean> {
    const path = index % 4 === 0 ? `${tasksPath}?pageSize=20` : `/v1/${this.#known}`
    return (await this.#target.call('GET', path)).status === 200
  }

  async #create(index: number): Promise<boolean> {
    const task = JSON.stringify(this.#task(index, this.#text))
    const { status, body } = await this.#target.call('POST', tasksPath, task)
    if (status === 200 && this.#known === '') this.#known = (JSON.parse(body) as { name: string }).name
    return status === 200
  }

  #task(index: number, text: string) {
    const { tenants, name } = this.#scenario
    const fairnessKey = tenants && `tenant-${index % 2 === 0 ? 0 : (index >> 1) % tenants}`
    const work = this.#slowUrl
      ? { type: 'http.request', payload: { url: this.#slowUrl, text } }
      : { type: 'echo', payload: { text } }
    return { ...work, queue: name, ...(fairnessKey && { fairnessKey }) }
  }
}
