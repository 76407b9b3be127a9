/** PgBouncer in transaction mode in front of a test's database, with fewer server connections than the service opens. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { accepts } from '@flowforge/local/accepts'
import { freePort } from '@flowforge/local/free-port'
import { until } from '@flowforge/runtime/testing/poll'

const serverConnections = 3

/** Why there is none, or false: what `skip` of a test takes. */
export const isPgBouncerAbsent =
  spawnSync('pgbouncer', ['--version']).status === 0
    ? false
    : 'pgbouncer is not installed (Debian: apt-get install pgbouncer)'

/** Starts it for one database; it ends with the test. Answers with the URL that leads through it. */
export async function startPgBouncer(t: TestContext, databaseUrl: string): Promise<string> {
  const { hostname, port, pathname, username, password } = new URL(databaseUrl)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-pgbouncer-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const listenPort = await freePort()
  const database = decodeURIComponent(pathname.slice(1))
  const file = join(folder, 'pgbouncer.ini')
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: listenPort,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    default_pool_size: serverConnections,
    // It refuses to run as root.
    ...(process.getuid?.() === 0 && { user: 'nobody' }),
  }
  writeFileSync(
    file,
    [
      '[databases]',
      `${database} = host=${hostname} port=${port} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}`,
      '[pgbouncer]',
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    ].join('\n'),
  )
  chmodSync(folder, 0o755)
  const child = spawn('pgbouncer', ['--quiet', file], { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGQUIT')
    await once(child, 'exit')
  })
  await until(() => accepts(listenPort))
  return `postgres://${username}@127.0.0.1:${listenPort}${pathname}`
}
