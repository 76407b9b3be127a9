import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSystem, type System } from '@flowforge/local/system'
import type { Scenario } from './scenarios.ts'

/** Starts a system with the workers that a scenario wants, uses it, and removes every trace of it. */
export async function withFreshSystem<Result>(
  scenario: Scenario,
  signal: AbortSignal,
  use: (system: System) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-load-'))
  // PostgreSQL may run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const env = {
    FLOWFORGE_LOG_LEVEL: 'warn',
    FLOWFORGE_WORKER_CONCURRENCY: String(Math.max(1, scenario.capacity)),
    FLOWFORGE_ALLOW_HOSTS: '127.0.0.1',
  }
  const system = await startSystem({
    dataDir: join(folder, 'data'),
    port: 0,
    workers: scenario.capacity > 0 ? 2 : 0,
    env,
    signal,
  })
  try {
    return await use(system)
  } finally {
    await system.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
