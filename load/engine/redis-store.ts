import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@flowforge/local/free-port'
import { until } from '@flowforge/local/until'
import { Redis } from 'ioredis'
import type { Store } from './store.ts'

/** A Redis of its own, without data, that appends every write to a file and makes it durable as `appendfsync` says. */
export async function createRedisStore(folder: string, appendfsync: 'everysec' | 'always'): Promise<Store> {
  const data = mkdtempSync(join(folder, 'redis-'))
  const port = await freePort()
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: data,
    appendonly: 'yes',
    appendfsync,
    save: '',
    'auto-aof-rewrite-percentage': 0,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()).once('error', () => resolve()))
  const url = `redis://127.0.0.1:${port}`
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => {})
  if (!(await until(() => client.status === 'ready' || connects(client), 10_000)))
    throw new Error('redis-server did not start')
  const stop = async () => {
    client.disconnect()
    server.kill('SIGKILL')
    await exited
    rmSync(data, { recursive: true, force: true })
  }
  return {
    url,
    pids: [server.pid!],
    async unfinished() {
      const keys = ['wait', 'active'].map((list) => client.llen(`bull:load:${list}`))
      const sets = ['delayed', 'prioritized'].map((set) => client.zcard(`bull:load:${set}`))
      return (await Promise.all([...keys, ...sets])).reduce((sum, count) => sum + count, 0)
    },
    written: async () => ({ bytes: field(await client.info('persistence'), 'aof_current_size') }),
    async statementsDuring(work) {
      const count = async () => field(await client.info('stats'), 'total_commands_processed')
      const before = await count()
      await work()
      return (await count()) - before
    },
    analyze: async () => {},
    remove: stop,
  }
}

async function connects(client: Redis): Promise<boolean> {
  return client.connect().then(
    () => true,
    () => false,
  )
}

function field(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
}
