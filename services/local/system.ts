import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf } from '@flowforge/runtime/identity'
import { keepCertificatesFresh, renewCertificates } from './certificates.ts'
import { namespace, root, trustDomain } from './config.ts'
import { openDataFolder, secret, type DataFolder } from './data-folder.ts'
import { freePort, isFree, preferredPort } from './free-port.ts'
import { startPostgres } from './postgres.ts'
import { isReady } from './readiness.ts'
import { createDatabase, provision, type DatabaseComponent } from './provision.ts'
import { claim, type Claim } from './run-folder.ts'
import { choosePorts, planServices, type PlannedService, type Ports } from './service-plan.ts'
import { supervise, type Supervised } from './supervise.ts'

export interface SystemOptions {
  /** Absolute path; made when it is missing. */
  dataDir: string
  /** How many worker processes; 2 when not given. */
  workers?: number
  /** The gateway's port on 127.0.0.1; 8080 when not given. 0 takes any free one, for the gateway and for every service. */
  port?: number
  /** Use this PostgreSQL and start none. */
  databaseUrl?: string | undefined
  /** More environment for every service, e.g. FLOWFORGE_ALLOW_HOSTS. */
  env?: Record<string, string>
  /** Changes how a service is started: its environment or its entry. For experiments and tests that stand in its way. */
  adapt?: (planned: PlannedService) => Promise<PlannedService>
  /** False gives up safety against power loss for speed: for tests only. */
  durable?: boolean
  /** Aborting it ends the start; everything started so far is stopped before the promise rejects. */
  signal?: AbortSignal
  /** Takes one line about what happened: a crash and its repair, leftovers that were ended. */
  onMessage?: (line: string) => void
  /** Takes the name of each process as it becomes ready. */
  onReady?: (name: string) => void
}

/** A running FlowForge: real processes on this machine. */
export interface System {
  /** The gateway's URL. */
  url: string
  /** `host:port` of each gRPC server. */
  addresses: { tasks: string; accounts: string; notifications: string }
  apiKey: string
  /** The superuser's URL of the database, or the one that was given. */
  databaseUrl: string
  folder: DataFolder
  /** Process numbers by name: postgres, tasks, accounts, notifications, gateway, worker-1 … */
  pids(): Record<string, number>
  /** Starts one more process, which from then on is one of the system's; settles when it is ready. */
  add(planned: PlannedService): Promise<void>
  /** Sends a signal to one process; a killed one is started again by itself. */
  kill(name: string, signal?: NodeJS.Signals): void
  /** Drains and ends everything, within 10 s; later calls wait for the first. */
  stop(): Promise<void>
  /** Ends everything at once. Acknowledged tasks survive that too. */
  abandon(): void
}

/**
 * Starts the whole system and settles once every process is ready.
 *
 * Refused with an AlreadyRunningError while another launcher runs one in the same data folder. What a killed launcher left
 * running is ended first. Rejects, with nothing left running, when a process does not become ready.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const starting = new Starting(options)
  try {
    return await starting.run()
  } catch (error) {
    await starting.stop()
    throw error
  }
}

class Starting {
  readonly #options: SystemOptions
  readonly #folder: DataFolder
  readonly #processes: Supervised[] = []
  readonly #message: (line: string) => void
  #claim: Claim | undefined
  #renewal: { stop(): void } | undefined
  #stopping: Promise<void> | undefined

  constructor(options: SystemOptions) {
    this.#options = options
    this.#folder = openDataFolder(options.dataDir)
    this.#message = options.onMessage ?? (() => {})
  }

  async run(): Promise<System> {
    const wantedPort = this.#options.port ?? 8080
    const gatewayPort = wantedPort || (await freePort())
    this.#claim = claim(this.#folder.run, `http://127.0.0.1:${gatewayPort}`)
    await this.#endLeftovers()
    if (!(await isFree(gatewayPort))) {
      throw new Error(`port ${gatewayPort} of 127.0.0.1 is taken by another program; choose another one with --port`)
    }
    const [ports, database] = await allSettledOrThrow([
      choosePorts(gatewayPort, wantedPort === 0 ? freePort : preferredPort),
      this.#database(),
      this.#certificates(),
    ])
    const { workers = 2, env = {}, adapt = async (planned) => planned } = this.#options
    const waves = await planServices({ folder: this.#folder, ports, databaseUrls: database.urls, workers, env })
    for (const wave of waves) await allSettledOrThrow(wave.map(async (one) => this.#service(await adapt(one))))
    // Whoever interrupted while the last one became ready has not been heard yet.
    this.#options.signal?.throwIfAborted()
    return this.#system(ports, database.url)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#drain()
    return this.#stopping
  }

  async #endLeftovers(): Promise<void> {
    const ended = await this.#claim!.endLeftovers((name) => (name === 'postgres' ? 'SIGINT' : 'SIGTERM'))
    if (ended.length > 0) this.#message(`ended what an earlier start had left running: ${ended.join(', ')}`)
  }

  async #database(): Promise<{ url: string; urls: Record<DatabaseComponent, string> }> {
    const passwordOf = (name: string) => secret(this.#folder.secrets, name)
    const given = this.#options.databaseUrl
    if (given) return { url: given, urls: await provision(given, passwordOf) }
    const postgres = await startPostgres({
      dataDir: this.#folder.postgres,
      logFile: join(this.#folder.log, 'postgres.log'),
      password: passwordOf('postgres'),
      durable: this.#options.durable ?? true,
      ...this.#observers('postgres'),
    })
    this.#started(postgres)
    const url = await createDatabase(postgres.url, 'flowforge')
    return { url, urls: await provision(url, passwordOf) }
  }

  async #certificates(): Promise<void> {
    const scope = { namespace, trustDomain }
    const options = {
      folder: this.#folder.certificates,
      identityOf: (component: string) => identityOf(component, scope),
    }
    await renewCertificates(options)
    this.#renewal = keepCertificatesFresh(options, this.#message)
  }

  async #service({ name, entry, env, adminPort }: PlannedService): Promise<void> {
    const service = await supervise({
      name,
      command: process.execPath,
      args: [entry],
      env,
      cwd: root,
      logFile: join(this.#folder.log, `${name}.log`),
      isReady: () => isReady(adminPort),
      readyWithinMs: 30_000,
      ...this.#observers(name),
    })
    this.#started(service)
  }

  #observers(name: string) {
    return {
      signal: this.#options.signal,
      onSpawn: (pid: number) => this.#claim!.record(name, pid),
      onMessage: this.#message,
    }
  }

  #started(supervised: Supervised): void {
    this.#processes.push(supervised)
    this.#options.onReady?.(supervised.name)
  }

  /** Whoever takes in work goes first and the database last, each with its share of the 10 s. */
  async #drain(): Promise<void> {
    this.#renewal?.stop()
    const isEngine = ({ name }: Supervised) => name === 'tasks' || name === 'accounts'
    const isDatabase = ({ name }: Supervised) => name === 'postgres'
    const others = this.#processes.filter((one) => !isEngine(one) && !isDatabase(one))
    await Promise.all(others.map((one) => one.stop(4_500)))
    await Promise.all(this.#processes.filter(isEngine).map((one) => one.stop(2_500)))
    await Promise.all(this.#processes.filter(isDatabase).map((one) => one.stop(2_000)))
    this.#claim?.release()
  }

  #system(ports: Ports, databaseUrl: string): System {
    const running = () => this.#processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid] as const]))
    const named = (name: string) => {
      const found = this.#processes.find((one) => one.name === name)
      if (!found)
        throw new Error(`no process is called ${name}; there are ${this.#processes.map((one) => one.name).join(', ')}`)
      return found
    }
    const address = (port: number) => `127.0.0.1:${port}`
    return {
      url: `http://${address(ports.gateway)}`,
      addresses: {
        tasks: address(ports.tasks),
        accounts: address(ports.accounts),
        notifications: address(ports.notifications),
      },
      apiKey: readFileSync(this.#folder.apiKey, 'utf8').trim(),
      databaseUrl,
      folder: this.#folder,
      pids: () => Object.fromEntries(running()),
      add: (planned) => this.#service(planned),
      kill: (name, signal = 'SIGKILL') => named(name).kill(signal),
      stop: () => this.stop(),
      abandon: () => this.#processes.forEach((one) => void one.stop(0)),
    }
  }
}

/** Like Promise.all, but waits for all even when one fails, so that nothing still starts while the others are stopped. */
async function allSettledOrThrow<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}
