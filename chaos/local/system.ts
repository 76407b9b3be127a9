/** The system under test: `npm start`'s processes, with a link wherever one calls another, and workers that keep histories. */
import { join } from 'node:path'
import { OlderBuild } from '@flowforge/load/older-build'
import { startSystem, type System } from '@flowforge/local/system'
import type { Experiment, Traffic } from '../experiment.ts'
import type { Part } from '../fault.ts'
import { withClockFile } from './clock-file.ts'
import { Link } from './link.ts'

import { mountDisk } from './small-disk.ts'

/** The link that a part's calls to another take, the workers' each their own. */
export interface NamedLink {
  from: Part
  to: Part
  link: Link
}

export interface ChaosSystem extends System {
  links: NamedLink[]
  /** Where the workers' histories lie. */
  histories: string
  /** host:port of each process's admin server, by name. */
  adminPorts: Map<string, number>
  /** Whatever the launcher said. */
  messages: string[]
  /** The build that the services are started from, if it is not this one. */
  older: OlderBuild | undefined
}

export interface ChaosSystemOptions {
  folder: string
  experiment: Experiment
  traffic: Traffic
  signal: AbortSignal
  onMessage: (line: string) => void
}

const callees: Record<string, Part> = {
  FLOWFORGE_TASKS_ADDRESS: 'tasks',
  FLOWFORGE_ACCOUNTS_ADDRESS: 'accounts',
  FLOWFORGE_NOTIFICATIONS_ADDRESS: 'notifications',
}
const workers = 2

/** Starts everything and settles when each process is ready. */
export async function startChaosSystem(options: ChaosSystemOptions): Promise<ChaosSystem> {
  const { folder, experiment, traffic, signal, onMessage } = options
  const histories = join(folder, 'histories')
  const links: NamedLink[] = []
  const adminPorts = new Map<string, number>()
  const messages: string[] = []
  const older = experiment.fault.kind === 'upgrade' ? await OlderBuild.of(experiment.fault.from, folder) : undefined
  const disk = experiment.system?.diskMiB ? mountDisk(folder, experiment.system.diskMiB) : undefined
  const system = await startSystem({
    dataDir: join(folder, 'data'),
    port: 0,
    workers,
    env: { FLOWFORGE_LOG_LEVEL: 'warn', ...experiment.system?.env },
    signal,
    onMessage: (line) => {
      messages.push(line)
      onMessage(line)
    },
    async adapt(planned) {
      adminPorts.set(planned.name, planned.adminPort)
      const env = { ...planned.env }
      const from = planned.component as Part
      for (const [variable, to] of Object.entries(callees)) {
        if (to === from) continue
        const [host, port] = env[variable]!.split(':')
        const link = await Link.to({ host: host!, port: Number(port) })
        links.push({ from, to, link })
        env[variable] = link.address
      }
      if (env.FLOWFORGE_DATABASE_URL) {
        const url = new URL(env.FLOWFORGE_DATABASE_URL)
        const link = await Link.to({ host: url.hostname, port: Number(url.port) })
        links.push({ from, to: 'postgres', link })
        url.host = link.address
        env.FLOWFORGE_DATABASE_URL = url.href
      }
      const adapted = { ...planned, env }
      if (experiment.fault.kind === 'clock') Object.assign(adapted, withClockFile(adapted, folder))
      if (experiment.fault.kind === 'upgrade') adapted.entry = older!.entryOf(planned)
      if (from !== 'worker') return adapted
      Object.assign(adapted.env, {
        FLOWFORGE_CHAOS_HISTORY: join(histories, planned.name),
        FLOWFORGE_WORKER_CONCURRENCY: String(traffic.capacity),
      })
      return { ...adapted, entry: join(import.meta.dirname, '../traffic/worker.ts') }
    },
  })
  const stop = async () => {
    await system.stop()
    for (const { link } of links) link.close()
    disk?.unmount()
    older?.remove()
  }
  return { ...system, stop, links, histories, adminPorts, messages, older }
}
