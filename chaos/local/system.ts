/** The system under test: `npm start`'s processes, with a link wherever one calls another, and workers that keep histories. */
import { join } from 'node:path'
import { OlderBuild } from '@flowforge/load/older-build'
import { freePort } from '@flowforge/local/free-port'
import { planAnother, type PlannedService } from '@flowforge/local/service-plan'
import { startSystem, type System } from '@flowforge/local/system'
import type { Experiment, Traffic } from '../experiment.ts'
import type { Part } from '../fault.ts'
import { Balancer } from './balancer.ts'
import { withClockFile } from './clock-file.ts'
import { Redis } from './redis.ts'
import { mountDisk } from './small-disk.ts'
import { throughLinks, type NamedLink } from './wiring.ts'

export interface ChaosSystem extends System {
  links: NamedLink[]
  /** Of each gateway itself; `url` is that of all. */
  gatewayUrls: string[]
  /** What the gateways share, if the experiment needs it. */
  redis: Redis | undefined
  /** Where the workers' histories lie. */
  histories: string
  /** host:port of each process's admin server, by name. */
  adminPorts: Map<string, number>
  /** What each process is started with, by name; read again at each start. */
  environments: Map<string, Record<string, string>>
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

const services = ['accounts', 'tasks', 'notifications', 'gateway'] as const
const workers = 2
/** What the chart sets where several instances share the work. */
const forSeveral = { FLOWFORGE_INSTANCES: 'many', FLOWFORGE_SHUTDOWN_DELAY: '500ms' }

/** Starts everything and settles when each process is ready. */
export async function startChaosSystem(options: ChaosSystemOptions): Promise<ChaosSystem> {
  const { folder, experiment, traffic, signal, onMessage } = options
  const { instances = 1, env, diskMiB, redis: needsRedis } = experiment.system ?? {}
  const histories = join(folder, 'histories')
  const links: NamedLink[] = []
  const adminPorts = new Map<string, number>()
  const environments: ChaosSystem['environments'] = new Map()
  const older = experiment.fault.kind === 'upgrade' ? await OlderBuild.of(experiment.fault.from, folder) : undefined
  const disk = diskMiB ? mountDisk(folder, diskMiB) : undefined
  const redis = needsRedis ? await Redis.start(folder) : undefined
  const planned = new Map<string, PlannedService>()
  const more = new Map<Part, number[]>()
  for (const service of services) more.set(service, await Promise.all(Array.from({ length: instances - 1 }, freePort)))

  // Earlier builds of it knew one address only.
  const reach = ({ component }: PlannedService) => (older && component === 'notifications' ? new Map() : more)
  const adapt = async (plan: PlannedService): Promise<PlannedService> => {
    planned.set(plan.name, plan)
    adminPorts.set(plan.name, plan.adminPort)
    const adapted = { ...plan, env: await throughLinks(plan, reach(plan), links) }
    if (experiment.fault.kind === 'clock') Object.assign(adapted, withClockFile(adapted, folder))
    environments.set(plan.name, adapted.env)
    if (experiment.fault.kind === 'upgrade') adapted.entry = older!.entryOf(plan)
    if (plan.component !== 'worker') return adapted
    Object.assign(adapted.env, {
      FLOWFORGE_CHAOS_HISTORY: join(histories, plan.name),
      FLOWFORGE_WORKER_CONCURRENCY: String(traffic.capacity),
    })
    return { ...adapted, entry: join(import.meta.dirname, '../traffic/worker.ts') }
  }

  const system = await startSystem({
    dataDir: join(folder, 'data'),
    port: 0,
    workers,
    env: {
      FLOWFORGE_LOG_LEVEL: 'warn',
      ...(instances > 1 ? forSeveral : {}),
      ...(redis ? { FLOWFORGE_REDIS_URL: redis.url } : {}),
      ...env,
    },
    signal,
    onMessage,
    adapt,
  })
  const others = [...more].flatMap(([service, ports]) =>
    ports.map((port, index) => planAnother(planned.get(service)!, index + 2, port)),
  )
  await Promise.all(others.map(async (other) => system.add(await adapt(await other))))
  const gateways = [...planned.values()].filter(({ component }) => component === 'gateway')
  const balancer =
    instances > 1
      ? await Balancer.over(gateways.map((one) => ({ port: portOf(one), adminPort: one.adminPort })))
      : undefined
  const stop = async () => {
    balancer?.close()
    await system.stop()
    for (const { link } of links) link.close()
    await redis?.kill()
    disk?.unmount()
    older?.remove()
  }
  const url = balancer?.url ?? system.url
  const gatewayUrls = gateways.map((one) => `http://127.0.0.1:${portOf(one)}`)
  return { ...system, url, gatewayUrls, redis, stop, links, histories, adminPorts, environments, older }
}

function portOf({ env }: PlannedService): number {
  return Number(env.FLOWFORGE_LISTEN!.split(':').at(-1))
}
