import { join } from 'node:path'
import { inheritedEnvironment, namespace, root, trustDomain } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { freePort } from './free-port.ts'
import type { DatabaseComponent } from './provision.ts'

/** One service process: what to run, on which ports, configured how. */
export interface PlannedService {
  name: string
  component: string
  entry: string
  adminPort: number
  env: Record<string, string>
}

/** The ports of a system's servers on 127.0.0.1. */
export interface Ports {
  gateway: number
  tasks: number
  accounts: number
  notifications: number
}

export interface PlanOptions {
  folder: DataFolder
  ports: Ports
  databaseUrls: Record<DatabaseComponent, string>
  workers: number
  env: Record<string, string>
}

/** Chooses the services' ports by `choose`, which is told the documented one of each. */
export async function choosePorts(gateway: number, choose: (documented: number) => Promise<number>): Promise<Ports> {
  const [tasks, accounts, notifications] = await Promise.all([7101, 7102, 7103].map((port) => choose(port)))
  return { gateway, tasks: tasks!, accounts: accounts!, notifications: notifications! }
}

/** Plans every service process, in waves: a wave starts when the one before it is ready. */
export async function planServices(options: PlanOptions): Promise<PlannedService[][]> {
  const server = (component: keyof Ports, entry = `services/${component}/main.ts`) =>
    plan(component, component, entry, options, {
      FLOWFORGE_LISTEN: address(options.ports[component]),
      ...(component === 'gateway' ? {} : { FLOWFORGE_DATABASE_URL: options.databaseUrls[component] }),
      ...(component === 'accounts' ? { FLOWFORGE_BOOTSTRAP_KEY_FILE: options.folder.apiKey } : {}),
    })
  const worker = (number: number) => plan(`worker-${number}`, 'worker', 'services/worker/main.ts', options, {})
  const workers = Array.from({ length: options.workers }, (_, index) => worker(index + 1))
  const first = [server('accounts'), server('tasks')]
  const second = [server('notifications'), server('gateway', 'gateway/main.ts'), ...workers]
  return Promise.all([first, second].map((wave) => Promise.all(wave)))
}

/** Plans one more instance of a service, on this port of 127.0.0.1. */
export async function planAnother(first: PlannedService, number: number, port: number): Promise<PlannedService> {
  const adminPort = await freePort()
  const own = { FLOWFORGE_LISTEN: address(port), FLOWFORGE_ADMIN_LISTEN: address(adminPort) }
  return { ...first, name: `${first.name}-${number}`, adminPort, env: { ...first.env, ...own } }
}

async function plan(
  name: string,
  component: string,
  entry: string,
  { folder, ports, env }: PlanOptions,
  own: Record<string, string>,
): Promise<PlannedService> {
  const adminPort = await freePort()
  const common = {
    FLOWFORGE_ADMIN_LISTEN: address(adminPort),
    FLOWFORGE_CERTIFICATES: join(folder.certificates, component),
    FLOWFORGE_TASKS_ADDRESS: address(ports.tasks),
    FLOWFORGE_ACCOUNTS_ADDRESS: address(ports.accounts),
    FLOWFORGE_NOTIFICATIONS_ADDRESS: address(ports.notifications),
    FLOWFORGE_NAMESPACE: namespace,
    FLOWFORGE_TRUST_DOMAIN: trustDomain,
    FLOWFORGE_RETRY_OWNER: 'process',
    // Everything here comes from one key and one address, and a laptop's owner needs no protection from himself.
    FLOWFORGE_RATE_LIMIT_PER_MINUTE: '600000',
    FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '600000',
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/flowforge'),
  }
  return {
    name,
    component,
    entry: join(root, entry),
    adminPort,
    env: { ...common, ...inheritedEnvironment(), ...env, ...own },
  }
}

function address(port: number): string {
  return `127.0.0.1:${port}`
}
