import { fileURLToPath } from 'node:url'
import { run } from './command.ts'
import { Installation } from './installation.ts'
import { startLoad, type LoadResult } from './load.ts'
import type { Finding } from './steps.ts'

/**
 * Installs `older` beside the installation that is tried, brings it to the tag `newer` by a canary that is found good, and
 * takes it back, all of it under load.
 */
export async function upgradeOlder(
  { namespace, values, release }: Installation,
  image: { older: string; newer: string; full: string },
  judge: (result: LoadResult) => void,
): Promise<Finding> {
  const few = ['gateway', 'tasks'].map((component) => `${component}.autoscaling.minReplicas=2`)
  const installation = new Installation(`${namespace}-older`, [...values, ...few, `image.tag=${image.older}`])
  await installation.makeNamespace()
  try {
    await installation.install()
    const before = await lastMigration(installation)
    const load = await startLoad(installation, image.full, 20)
    const startedAt = performance.now()
    const program = fileURLToPath(new URL('release.ts', import.meta.url))
    const where = ['--release', release, '--namespace', installation.namespace]
    await run(process.execPath, [program, '--tag', image.newer, '--watch', '5', ...where], { timeoutMs: 600_000 })
    const seconds = (performance.now() - startedAt) / 1_000
    await installation.settle()
    await expectVersion(installation, image.newer)
    const after = await lastMigration(installation)
    if (before === after) throw new Error(`${image.newer} has no migration that ${image.older} does not have`)
    await installation.rollback(1)
    await installation.settle()
    await expectVersion(installation, image.older)
    const result = await load.finish()
    judge(result)
    const numbers = `${result.acknowledged} tasks, ${result.failures.length} failed requests, ${result.lost.length} lost`
    return {
      detail: `${before} → ${after} in ${seconds.toFixed(0)} s by a canary that became every pod, and the older version on that schema; ${numbers}`,
      load: result,
    }
  } finally {
    await run('kubectl', ['delete', 'namespace', installation.namespace, '--timeout', '120s'])
  }
}

async function lastMigration(installation: Installation): Promise<string> {
  return (await installation.sql('select max(name) from tasks.migrations')).trim()
}

async function expectVersion(installation: Installation, tag: string): Promise<void> {
  for (const { metadata, spec } of await installation.pods()) {
    const [container] = spec.containers
    const isOurs = !metadata.name.includes('postgres')
    if (isOurs && !container!.image.endsWith(`:${tag}`)) throw new Error(`${metadata.name} runs ${container!.image}`)
  }
}
