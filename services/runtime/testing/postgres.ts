import { chmodSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { startPostgres } from '@flowforge/local/postgres'

let started: Promise<Throwaway> | undefined

interface Throwaway {
  url: string
  remove(): Promise<void>
}

// Registered while the module loads: inside a test it would belong to that test and end the server too early.
after(async () => (await started)?.remove())

/** The superuser's URL of a PostgreSQL for this process alone; it is gone with all its data when the tests end. */
export async function throwawayPostgres(): Promise<string> {
  started ??= start()
  return (await started).url
}

async function start(): Promise<Throwaway> {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-postgres-'))
  // PostgreSQL runs as another user when we are root, and has to pass through.
  chmodSync(folder, 0o711)
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'),
    logFile: join(folder, 'postgres.log'),
    password: 'flowforge-test',
    durable: false,
    onMessage: (line) => process.stderr.write(`${line}\n`),
  })
  return {
    url: postgres.url,
    async remove() {
      await postgres.stop(5_000)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
