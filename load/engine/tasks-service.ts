import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { renewCertificates } from '@flowforge/local/certificates'
import { inheritedEnvironment, root } from '@flowforge/local/config'
import { freePort } from '@flowforge/local/free-port'
import { provision } from '@flowforge/local/provision'
import { isReady } from '@flowforge/local/readiness'
import { until } from '@flowforge/local/until'
import { defaultScope, identityOf } from '@flowforge/runtime/identity'

/** FlowForge's tasks service as a process of its own, as `npm start` runs it. */
export interface TasksService {
  pid: number
  address: string
  /** The folder with a folder of certificates for each component. */
  certificates: string
  /** Where its inspector listens, if it was asked for. */
  inspectorPort: number | undefined
  stop(): Promise<void>
}

/** The programme of this build. */
export const tasksEntry = join(root, 'services/tasks/main.ts')

/** Starts it on a database and settles when it is ready. */
export async function startTasksService(options: {
  databaseUrl: string
  folder: string
  inspect: boolean
  /** The programme to run, if not this build's. */
  entry?: string | undefined
  /** The port of 127.0.0.1 to listen on; a free one if unset. */
  port?: number | undefined
  /** A port of 127.0.0.1 that leads to the database, for the listener and migrations alone. */
  listenPort?: number | undefined
}): Promise<TasksService> {
  const { databaseUrl, folder, inspect, listenPort } = options
  const certificates = join(folder, 'certificates')
  await renewCertificates({ folder: certificates, identityOf: (component) => identityOf(component, defaultScope) })
  const urls = await provision(databaseUrl, () => 'load')
  const [port, adminPort, inspectorPort] = [
    options.port ?? (await freePort()),
    await freePort(),
    inspect ? await freePort() : undefined,
  ]
  const address = `127.0.0.1:${port}`
  const logFile = join(folder, 'tasks.log')
  const log = openSync(logFile, 'a', 0o600)
  const args = [...(inspectorPort ? [`--inspect=127.0.0.1:${inspectorPort}`] : []), options.entry ?? tasksEntry]
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', log, log],
    env: {
      ...inheritedEnvironment(),
      FLOWFORGE_LISTEN: address,
      FLOWFORGE_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      FLOWFORGE_DATABASE_URL: listenPort ? onPort(urls.tasks, listenPort) : urls.tasks,
      ...(listenPort && { FLOWFORGE_DATABASE_POOLER_URL: urls.tasks }),
      FLOWFORGE_CERTIFICATES: join(certificates, 'tasks'),
      FLOWFORGE_LOG_LEVEL: 'warn',
    },
  })
  closeSync(log)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
    if (!isOver()) await exited
    clearTimeout(timer)
  }
  if (!(await until(async () => isOver() || isReady(adminPort), 30_000)) || isOver()) {
    await stop()
    throw new Error(`the tasks service did not become ready:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
  }
  return { pid: child.pid!, address, certificates, inspectorPort, stop }
}

function onPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
